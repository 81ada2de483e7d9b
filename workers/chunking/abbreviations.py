# ruff: noqa: RUF001 - Cyrillic letters are meant
"""Owns words before a stop that ends no sentence, as far as the library for sentences does not know them."""

TITLES = {
    "de": "dr prof hr fr dipl ing str nr abs art abb kap tab bd bzw vgl ggf evtl inkl exkl zzgl max min rd st",
    "fr": "mme mmes mlle mlles mm dr drs pr prof mgr st ste me art chap fig réf tél cf vol éd",
    "es": "sr sra srta sres dr dra d dª núm nº art pág págs cap fig tel avda ud uds vol ed prof",
    "it": "sig sigg dott ing avv prof geom rag on art n pag pagg cap fig cfr vol ed tel",
    "pt": "sr sra srs dr dra prof profa eng art núm pág págs cap fig av tel vol ed exmo exma",
    "nl": "dhr mevr mw mej dr drs ir ing mr prof nr blz art fig hfdst vgl tel jhr",
    "pl": "dr prof mgr inż hab ks gen płk kpt św ul al pl os nr art ust pkt str rys tab zob por tel im",
    "ru": "им ул пр пл пер стр рис табл гл ст см проф акад доц тов гр корп кв тел св",
}
"""A name or a number comes behind these, whatever it begins with."""

WITHIN = frozenset(
    """
    abb abs allg bes betr bzgl bzw ca dgl eigtl engl etc evtl exkl franz gem geb gest ggf gegr hl inkl insb jh
    jhd lt max mind min mio mrd rd sog sogen usf usw vgl zzgl zzt approx dept est incl misc resp tel temp av env
    éd ex fig hab inc quest réf suiv tél vol aprox cap dto ed ej máx mín núm pág párr ss cfr ecc pag sec seg sgg
    spec ago ap cf dez fev jan num obs ref séc afb afd alg bijv blz bv enz excl evt hfdst jl nl ong zgn zog godz
    im inż itd itp jw m.in mies mld mln np ok pkt por pow prof red rozdz str szt tab tj tys tzn tzw ul ur ust
    woj wg zł zob zm акад англ в возм вып гл гос грн док др ед изд им кв кг км коп корп лат лит мес мин млн млрд
    напр обл оз пер пл пос пр прим проф разд рис род руб сек см сокр соц ср ст стр табл тел тж тов тт тыс указ
    ул чел экз např tzv apod atd čl kap obr odst popř bl dvs eks ev exempelvis fl jfr kl osv pga
    """.split()
)
"""A sentence goes on behind these where a small letter or a number follows."""

MONTHS = frozenset(
    """
    Januar Jänner Februar Feber März April Mai Juni Juli August September Oktober November Dezember Jahrhundert
    """.split()
)
"""What is written large behind a number with a stop: `3. Mai`."""

REFERENCES = frozenset(
    """
    abb abs abschnitt absatz anl art artikel bd buchst kap kapitel nr nummer rn s satz seite tab § tz ziff ziffer
    """.split()
)
"""Words before a number that counts something and is no ordinal."""
OPENERS = frozenset(
    """
    Aber Alle Als Also Am An Auch Auf Aus Bei Bis Da Dabei Daher Damit Danach Dann Das Dem Den Denn Der Des Die
    Dies Diese Diesem Diesen Dieser Dieses Doch Dort Durch Ein Eine Einem Einen Einer Er Es Für Gegen Hier
    Hierzu Ich Ihr Ihre Im In Ist Jede Jeder Jedes Kein Keine Man Mit Nach Nicht Nur Ob Oder Ohne Seit Sie Sind
    So Soweit Über Um Und Unter Vom Von Vor Während Was Weil Wenn Wer Werden Wie Wir Wird Wo Zu Zum Zur
    """.split()
)
"""Words that are no nouns, and written large at the beginning of a sentence alone."""
