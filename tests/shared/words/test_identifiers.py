"""Identifiers are words of their own, beside their parts."""

import pytest

from tests.shared.words.ranking import rank

OTHERS = {f"other{number}": f"Nothing of it is in text {number}." for number in range(5)}


@pytest.mark.parametrize(
    ("query", "written", "loose"),
    [
        ("read_all_lines", "The function read_all_lines is slow.", "read all, read lines, all lines, read"),
        ("4.17", "Version 4.17 is out.", "4 of 17, 17 of 4, and 4 more"),
        ("ERR-2041", "It shows ERR-2041 and stops.", "err 2041, 2041 err, err"),
        ("2023-11-05", "Signed on 2023-11-05.", "2023, 11, 05, 11, 2023, 05"),
        ("-17", "At -17 it freezes.", "At 17 it melts: 17, 17."),
        ("1234-4332", "Part 1234-4332 broke.", "1234 and 4332, 4332 and 1234"),
        ("v1.2.3-rc1", "We run v1.2.3-rc1 here.", "v1 2 3 rc1 v1 2 3 rc1"),
        ("C++", "Written in C++ by hand.", "C, c, C and c"),
        ("C#", "Written in C# by hand.", "C, c, C and c"),
        (".NET", "It needs .NET to run.", "a net, net, net"),
        ("#123", "See issue #123 for more.", "123, 123 and 123"),
        ("§ 5", "As in § 5 of the law.", "5 and 5 and 5"),
        ("usr/local/bin", "It is in /usr/local/bin there.", "usr local bin, local usr bin"),
        ("jane.doe@example.org", "Write to jane.doe@example.org soon.", "jane doe example org doe jane"),
        ("10:45", "The train leaves at 10:45 daily.", "10 of 45, 45 of 10"),
        ("Retry-After", "The header Retry-After says when.", "retry, after, after, retry"),
        ("--no-cache", "Run it with --no-cache first.", "no cache no cache"),
        ("x-request-id", "It sends x-request-id back.", "request x id request id x"),
        ("@property", "Write @property above it.", "property, property"),
        ("CVE-2024-12345", "It mends CVE-2024-12345 at last.", "cve 2024 12345 2024 cve"),
        ("192.168.0.1", "It answers at 192.168.0.1 only.", "192 168 0 1 168 192"),
        ("10.5%", "It rose by 10.5% in May.", "10 5 10 5"),
        ("R&D", "They do R&D there.", "r and d, d and r"),
        ("2024-03-17", "At 2024-03-17T10:45:00Z it stopped.", "17, 03, 2024"),
        ("1.2.3", "We run v1.2.3 here.", "1, 2, 3, 2, 1"),
        ("v1.2.3", "We run v1.2.3 here.", "v1, 2, 3, 2, v1"),
        ("-273.15", "It is -273.15 there, as was said by all of them.", "273.15, 273.15"),
        ("3.50", "It costs $3.50 or more.", "3 of 50, 50 of 3"),
        ("10000", "It costs $10,000 or more.", "10 and 000, 000"),
        ("RetryPolicy", "See retrieval.retries.RetryPolicy there.", "retry policy retry policy"),
        ("parse_all", "It calls module.parse_all() here.", "parse all, all parse"),
        ("RetryPolicy", "The class RetryPolicy is new.", "retry policy retry policy"),
        ("PX1098C", "Part PX-1098-C broke.", "px 1098 c, px, px"),
        ("PX-1098-C", "Part PX1098C broke.", "px 1098 c, px, px"),
        ("GPT4", "We asked GPT-4 twice.", "gpt 4, 4 gpt, gpt"),
        ("utf_8", "It is in UTF8 there.", "utf 8 utf 8"),
        ("192kHz", "It samples at 192kHz.", "192 of them in kHz, 192"),
        ("192kHz", "It samples at 192 kHz.", "192 of them in kHz, 192"),
        ("192 kHz", "It samples at 192kHz.", "192 of them in kHz, 192"),
        ("5GHz", "A band of 5\u00a0GHz.", "5 of GHz, GHz of 5"),
        ("3.5mm", "A jack of 3.5 mm there.", "3.5 of them, 3 and 5, mm"),
        ("12v", "It runs on 12 V there.", "12 of V, v"),
        ("40°C", "Heat it to 40 °C now.", "40 of C, C and 40"),
        ("40 °C", "Heat it to 40\u2103 now.", "40 of C, C and 40"),
        ("-40° C", "It fell to -40 \u00baC there.", "40°C, -40 and C"),
        ("5 \u00b5s", "It takes 5\u03bcs.", "5 of \u03bcs"),
        ("192кГц", "Частота 192 кГц.", "192 и кГц, 192"),
        ("50%", "It rose by 50 % in May.", "50 of them, 50"),
        ("№ 7", "See № 7 there.", "7 and no 7, no, 7"),
        ("№7", "See No. 7 there.", "7 and no 7, no, 7"),
        ("No. 7", "See issue #7 there.", "7 and no 7, no, 7"),
        ("#7", "See nr. 7 there.", "7 and no 7, no, 7"),
        ("#7", "See n° 7 there.", "7 and no 7, no, 7"),
        ("CVE 2021 44228", "It mends CVE-2021-44228 at last.", "cve of 2021, 44228 and 2021"),
        ("what is cve 2021 44228?", "It mends CVE-2021-44228 at last.", "cve of 2021, 44228 and 2021"),
        ("err 2041", "It shows ERR-2041 and stops.", "err of 2041"),
        ("px 1098c", "Part PX-1098-C broke.", "px, c, 1098, 1098c"),
        ("px 1098 c", "Part PX1098C broke.", "px, c, 1098"),
        ("978 3 16 148410 0", "It is 978-3-16-148410-0 in print.", "978, 3, 148410, 16, 0"),
    ],
)
def test_an_identifier_comes_before_its_parts(query: str, written: str, loose: str) -> None:
    for decoy in (loose, " ".join([loose] * 30)):
        assert rank(query, {"written": written, "loose": decoy} | OTHERS)[0] == "written"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("policy for a retry", "class RetryPolicy:"),
        ("http server", "An HTTPServer listens."),
        ("all lines", "read_all_lines()"),
        ("cooperate", "They co-operate well."),
        ("co-operating", "They cooperate well."),
        ("e-mail", "Send an email."),
        ("USA", "Made in the U.S.A. by hand"),
        ("10000", "It costs 10,000 in all."),
        ("brien", "Mr. O’Brien called."),
        ("homme", "Voici l’homme."),
        ("file", "a \ufb01le"),
        ("ABC", "\uff21\uff22\uff23"),
        ("hyphen", "hy\u00adphen"),
        ("cafe", "cafe\u0301"),
        ("windows", "WINDOWS™"),
        ("footnote", "a footnote¹ below"),
        ("Muellabfuhr", "Die Müllabfuhr kommt."),
        ("Mueller", "They asked Müller then."),
        ("Müller", "They asked Mueller then."),
        ("Oestergaard", "Østergaard was asked."),
        ("Statuenbruecke", "Die Statuenbrücke ist eine von den alten."),
        ("Strasse", "Die Straße ist zu."),
        ("smoerrebroed", "Smørrebrød"),
        ("Århus", "It was in Aarhus then."),
        ("blackfriday", "Tagged #BlackFriday by all."),
        ("TV", "Two TVs were sold."),
        ("TVs", "A TV was sold."),
        ("27.8.2029", "Am 27.08.2029 war es."),
        ("27/08/2029", "Of 27/8/2029 there."),
        ("1234.56", "It costs $1,234.56 or more."),
        ("7.234,56", "Es kostet 7234,56 Euro."),
        ("123–145", "Pages 123-145 are torn."),
        ("24 mm", "It is 24mm wide."),
        ("7.25GB", "It takes 7.25 GB of room."),
        ("5 ms", "It took 5ms."),
        ("192", "It samples at 192 kHz."),
        ("\U0001f44d", "good\U0001f44d\U0001f3fd work"),
        ("\u2764\ufe0f", "I \u2764 it"),
        ("\U0001f469\u200d\U0001f4bb", "a \U0001f469\u200d\U0001f4bb at work"),
        ("\U0001f1e9\U0001f1ea", "in \U0001f1e9\U0001f1ea and \U0001f1eb\U0001f1f7"),
    ],
)
def test_a_word_is_found_however_it_is_written(query: str, text: str) -> None:
    assert rank(query, {"written": text} | OTHERS) == ["written"]


@pytest.mark.parametrize(
    ("query", "first", "then"),
    [
        ("diameter 24 mm", "A bolt of 24 mm.", "At -24 it froze, -24, -24."),
        ("24", "Take 24 of them.", "It was -24 there."),
        ("7.25 bar", "Keep it at 7.25 bar.", "Keep it at -7.25 bar."),
        ("PX-1098-C", "Part PX-1098-C broke.", "Part PX1098C broke."),
        ("PX1098C", "Part PX1098C broke.", "Part PX-1098-C broke."),
        ("windows 11 update", "Windows 11 update, update, update", "windows-11"),
        ("pages 10 to 24", "See pages 10-24 there.", "See pages 10 and -24 there."),
    ],
)
def test_what_is_written_otherwise_is_found_behind(query: str, first: str, then: str) -> None:
    assert rank(query, {"a": then, "b": first} | OTHERS) == ["b", "a"]


@pytest.mark.parametrize(("query", "text"), [("1a", "Section 1 a"), ("quelle", "qulle")])
def test_what_means_something_else_is_not_the_same(query: str, text: str) -> None:
    assert rank(query, {"written": text} | OTHERS) == []
