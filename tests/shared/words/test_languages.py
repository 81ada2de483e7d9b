"""The language of a text is told by its function words, and a mistake costs a stem and no word."""
# ruff: noqa: RUF001, E501 - sentences of many scripts, one a line

from concurrent.futures import ThreadPoolExecutor

import pytest

from embedmill.shared.words.folding import normalise
from embedmill.shared.words.languages import DEFAULTS, guess, languages, stems
from tests.shared.words.ranking import rank

SENTENCES = {
    "en": "The pumps were checked before they left the workshop, and none of them had been damaged.",
    "de": "Die Pumpen wurden geprüft, bevor sie die Werkstatt verließen, und keine von ihnen war beschädigt.",
    "fr": "Les pompes ont été contrôlées avant de quitter l’atelier, et aucune d’entre elles n’était abîmée.",
    "es": "Las bombas se revisaron antes de salir del taller, y ninguna de ellas estaba dañada.",
    "it": "Le pompe sono state controllate prima di lasciare l’officina, e nessuna di esse era danneggiata.",
    "pt": "As bombas foram verificadas antes de saírem da oficina, e nenhuma delas estava danificada.",
    "nl": "De pompen werden gecontroleerd voordat ze de werkplaats verlieten, en geen van hen was beschadigd.",
    "sv": "Pumparna kontrollerades innan de lämnade verkstaden, och ingen av dem var skadad.",
    "da": "Pumperne blev kontrolleret, før de forlod værkstedet, og ingen af dem var beskadiget.",
    "no": "Pumpene ble kontrollert før de forlot verkstedet, og ingen av dem var skadet etter det.",
    "fi": "Pumput tarkastettiin ennen kuin ne lähtivät korjaamolta, eikä mikään niistä ollut vaurioitunut, mutta se on.",
    "pl": "Pompy zostały sprawdzone, zanim opuściły warsztat, i żadna z nich nie była uszkodzona.",
    "cs": "Čerpadla byla zkontrolována, než opustila dílnu, a žádné z nich nebylo poškozené, protože to tak je.",
    "hu": "A szivattyúkat ellenőrizték, mielőtt elhagyták a műhelyt, és egyik sem volt hibás.",
    "ro": "Pompele au fost verificate înainte de a părăsi atelierul și niciuna dintre ele nu era defectă.",
    "tr": "Pompalar atölyeden çıkmadan önce kontrol edildi ve bunların hiçbiri hasarlı değildi, çünkü bu böyle.",
    "ca": "Les bombes es van revisar abans de sortir del taller, i cap d’elles no estava malmesa, però això és així amb els altres.",
    "id": "Pompa itu telah diperiksa sebelum dikirim dari bengkel, dan tidak ada yang rusak.",
    "vi": "Các máy bơm đã được kiểm tra trước khi rời xưởng và không có cái nào bị hỏng.",
    "ru": "Насосы были проверены перед тем, как они покинули мастерскую, и ни один из них не был повреждён.",
    "uk": "Насоси були перевірені перед тим, як вони залишили майстерню, і жоден із них не був пошкоджений.",
    "bg": "Помпите бяха проверени, преди да напуснат работилницата, и нито една от тях не беше повредена.",
    "sr": "Пумпе су проверене пре него што су напустиле радионицу и ниједна од њих није била оштећена.",
    "el": "Οι αντλίες ελέγχθηκαν πριν φύγουν από το εργαστήριο και καμία δεν ήταν χαλασμένη.",
    "ar": "تم فحص المضخات قبل أن تغادر الورشة ولم يكن أي منها تالفا.",
    "fa": "پمپ‌ها پیش از آن که از کارگاه خارج شوند بررسی شدند و هیچ یک از آنها خراب نبود.",
    "he": "המשאבות נבדקו לפני שיצאו מן הסדנה, ואף אחת לא הייתה פגומה.",
    "hi": "पंपों की जाँच कार्यशाला से निकलने के पहले की गई थी और उनमें से कोई भी खराब नहीं था।",
    "ne": "पम्पहरू कार्यशालाबाट निस्कनु अघि जाँच गरिएको थियो र यो मा कुनै पनि बिग्रिएको छैन भने छ।",
    "hy": "Պոմպերը ստուգվել էին մինչև արհեստանոցից դուրս գալը, և ոչ մեկը վնասված չէր։",
    "ta": "பம்புகள் பட்டறையை விட்டு வெளியேறும் முன் சரிபார்க்கப்பட்டன மற்றும் எதுவும் சேதமடையவில்லை.",
}


def told(text: str) -> set[str]:
    shown = normalise(text)
    return set(guess(shown.split(), shown))


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_tells_its_language(code: str) -> None:
    assert code in told(SENTENCES[code])


def test_every_language_has_a_sentence_here() -> None:
    assert set(SENTENCES) == set(languages())


def test_a_text_that_tells_nothing_is_taken_for_the_commonest_language_of_its_script() -> None:
    assert told("Lorem 42") == set(DEFAULTS.values())


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("connection", "The connections were lost and they had to be made again."),
        ("Wohnung", "Die Wohnungen werden im Mai renoviert, und die Mieter müssen nicht ausziehen."),
        ("ouvrier", "Les ouvriers sont dans la cour avec les machines."),
        ("canción", "Las canciones que se cantan en la fiesta son muchas."),
        ("cancion", "Las canciones que se cantan en la fiesta son muchas."),
        ("бумага", "В принтере нет бумаги, и он не может печатать."),
        ("pumpe", "Pumpene ble kontrollert før de forlot verkstedet, og ingen var skadet."),
    ],
)
def test_an_inflected_word_is_found_by_its_language(query: str, text: str) -> None:
    assert rank(query, {"text": text, "other": "Nothing of the kind."}) == ["text"]


@pytest.mark.parametrize("mistaken", ["en", "de", "fi"])
def test_a_word_is_found_in_a_text_of_any_language(mistaken: str) -> None:
    words = "organizations Häuser naciones перекрёстки elävöittäminen"
    lead = " ".join(sorted(languages()[mistaken].words)[:20])
    for word in words.split():
        assert rank(word, {"text": f"{lead} {word}", "other": "nothing"}) == ["text"]


@pytest.mark.parametrize("word", ["naïve", "Größe", "ação", "élèves", "ağaçlar", "Ёлки"])
def test_marks_may_be_left_out_of_a_stemmed_word(word: str) -> None:
    bare = {
        "naïve": "naive",
        "Größe": "Grosse",
        "ação": "acao",
        "élèves": "eleves",
        "ağaçlar": "agaclar",
        "Ёлки": "елки",
    }
    for code in ("de", "fr", "pt", "tr", "ru"):
        lead = " ".join(sorted(languages()[code].words)[:12])
        for query in (word, bare[word]):
            assert rank(query, {"text": f"{lead} {word}", "other": "nothing"}) == ["text"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("книга", "Вони поклали всі книги на стіл, але не цю."),
        ("книгами", "Це була книга, яку він не читав."),
        ("договір", "Усі договори підписано, і це було вчора."),
        ("договори", "Цей договір не підписано, бо його немає."),
        ("договір", "Договори підписано вчора."),
        ("договор", "Договорите са подписани, но не от тях."),
        ("βιβλίο", "Τα βιβλία είναι πάνω στο τραπέζι."),
        ("σύμβαση", "Οι συμβάσεις υπογράφηκαν χθες."),
        ("חוזה", "החוזה נחתם אתמול."),
        ("החוזה", "חוזה נחתם אתמול."),
        ("চুক্তিপত্র", "চুক্তিপত্রে স্বাক্ষর করা হয়েছে"),
        ("Haustür Schlüssel", "Der Haustürschlüssel ist nicht da, und das ist schlecht."),
        ("Kauf Vertrag", "Das ist der Kaufvertrag, den er nicht hat."),
        ("försäkring bolag", "Det är ett försäkringsbolag som inte har betalat."),
    ],
)
def test_other_forms_are_found_of_words_that_no_stemmer_makes_one(query: str, text: str) -> None:
    assert rank(query, {"text": text, "other": "Nothing of it is here."}) == ["text"]


@pytest.mark.parametrize(
    ("query", "text"),
    [("in put", "The input was read."), ("стол", "Они были в столовой, и это не всё."), ("книга", "Це не кинули.")],
)
def test_another_word_is_no_other_form(query: str, text: str) -> None:
    assert rank(query, {"text": text}) == []


@pytest.mark.parametrize("word", ["є", "її", "їx", "権договір", "договірβιβλίο", "ι", "ה"])
def test_a_word_that_has_no_other_forms_is_found_as_it_stands(word: str) -> None:
    assert rank(word, {"text": f"Nothing but {word} is here.", "other": "Nothing of it."})[0] == "text"


def test_stemmers_are_used_by_many_threads() -> None:
    words = [f"{stem}{end}" for stem in ("walk", "connect", "mend") for end in ("s", "ed", "ing")] * 200
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda word: stems(word, word, languages()["en"]), words))
    assert set(found) == {("walk",), ("connect",), ("mend",)}
