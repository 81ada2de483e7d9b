"""What the patterns find, and what they leave alone; values are invented, with check digits that are right."""

import pytest

from embedmill.shared.privacy.redaction.scanning import scan

FOUND = (
    ("EMAIL_ADDRESS", "write to {} today", "jane.o'neil+tag@mail.example.co.uk"),
    ("EMAIL_ADDRESS", "mailto:{}?subject=x", "jürgen@bücher.example"),
    ("EMAIL_ADDRESS", "({})", "jane [at] example [dot] org"),
    ("EMAIL_ADDRESS", "it is {}.", "jane at example dot org"),
    ("EMAIL_ADDRESS", "{}", "j\u0430ne@ex\u0430mple.com"),
    ("EMAIL_ADDRESS", "?to={}&x=1", "jane%40example.com"),
    ("PHONE_NUMBER", "ring {} now", "+44 (0)20 7946 0329"),
    ("PHONE_NUMBER", "ring {} now", "0049 30 901820-323"),
    ("PHONE_NUMBER", "{}, please", "(030) 901820323"),
    ("PHONE_NUMBER", "{}", "01.70.18.99.77"),
    ("PHONE_NUMBER", "{}", "8 (495) 123-45-67"),
    ("PHONE_NUMBER", "{}", "714-719-5847 ext. 22"),
    ("PHONE_NUMBER", "{}", "+1 714 719\n5847"),
    ("PHONE_NUMBER", "{}", "＋１ ７１４ ７１９ ５８４７"),
    ("PHONE_NUMBER", "{}", "+1\u200b714\u200b719\u200b5847"),
    ("PHONE_NUMBER", "phone: {}", "7147195847"),
    ("PHONE_NUMBER", "{}", "1-800-FLOWERS"),
    ("CREDIT_CARD", "{}", "4111 1111 1111 1111"),
    ("CREDIT_CARD", "{}", "4111\u20131111\u20131111\u20131111"),
    ("CREDIT_CARD", "{}", "4111 1111\n1111 1111"),
    ("CREDIT_CARD", "{}", "٤١١١١١١١١١١١١١١١"),
    ("IBAN_CODE", "{}", "GB82 WEST 1234 5698 7654 32"),
    ("IBAN_CODE", "iban {}", "de89370400440532013000"),
    ("IP_ADDRESS", "http://{}:8080/", "142.178.236.201"),
    ("IP_ADDRESS", "from [{}]", "2001:db8::ff00:42:8329"),
    ("IP_ADDRESS", "{}", "142[.]178[.]236[.]201"),
    ("MAC_ADDRESS", "{}", "90-a6-75-ed-10-51"),
    ("MAC_ADDRESS", "{}", "90a6.75ed.1051"),
    ("US_SSN", "({})", "735-22-1604"),
    ("US_SSN", "({})", "076 97 0746"),
    ("US_SSN", "ssn: {}", "735221604"),
    ("US_ITIN", "her ITIN is {}", "912-78-1234"),
    ("UK_NINO", "{}", "AB 12 34 56 C"),
    ("UK_NHS", "NHS number {}", "943 476 5919"),
    ("DE_TAX_ID", "Steuer-ID {}", "36 574 261 809"),
    ("DE_SOCIAL_SECURITY", "{}", "15 070649 C 103"),
    ("FR_NIR", "{}", "2 95 10 99 126 111 93"),
    ("ES_NIF", "{}", "54.362.315-K"),
    ("ES_NIE", "{}", "X-2482300-W"),
    ("IT_FISCAL_CODE", "{}", "RCCMNL83S18D969H"),
    ("DATE_OF_BIRTH", "she was born on {} in Rome", "12 March 1984"),
    ("DATE_OF_BIRTH", "geb. am {}", "12.03.1984"),
    ("DATE_OF_BIRTH", "DOB: {}", "03/12/84"),
    ("SECRET", "{}", "AKIAQ3EGRWTZ7HVN2K4D"),
    ("SECRET", "postgres://app:{}@db.example.com/x", "hunter2"),
    ("SECRET", "Authorization: Bearer {}", "abcdef0123456789abcdef01"),
    ("SECRET", 'password = "{}"', "tr0ub4dor&3"),
    ("CN_RIC", "身份证号: {}", "11010519491231002X"),
    ("CN_RIC", "ID card {}", "11010519491231002X"),
    ("CN_RIC", "{}", "11010519491231002X"),
    ("CN_RIC", "id card {}", "11010519491231002x"),
    ("FI_PERSONAL_IDENTITY_CODE", "{}", "131052-308T"),
    ("FI_PERSONAL_IDENTITY_CODE", "hetu {}", "131052-308T"),
    ("KR_RRN", "주민등록번호 {}", "9710139019902"),
    ("PHONE_NUMBER", "ring {} now", "+49 (0) 171 / 234 56 78"),
    ("PHONE_NUMBER", "ring {} now", "+49 171 / 2345678"),
    ("PHONE_NUMBER", "{}", "+43 (0) 664 / 123 45 67"),
    ("PHONE_NUMBER", "{}", "+41 (0) 44 / 668 18 00"),
    ("PHONE_NUMBER", "{}", "+44 (0) 7700 / 900123"),
    ("PHONE_NUMBER", "tel {}", "44 20 7946 0018"),
    ("PHONE_NUMBER", "هاتف: {}", "٠٥٠١٢٣٤٥٦٧"),
    ("IBAN_CODE", "{}", "gb82west12345698765432"),
    ("IBAN_CODE", "{}", "gb82 west 1234 5698 7654 32"),
    ("IBAN_CODE", "pay {} now", "gb82west12345698765432"),
    ("IT_VAT_CODE", "P.IVA {}", "IT00743110157"),
    ("IT_FISCAL_CODE", "cf {}", "rccmnl83s18d969h"),
    ("ES_NIE", "nie: {}", "x2482300w"),
    ("ES_NIE", "NIE {}", "x-2482300-w"),
    ("SECRET", "export DB_PASS='{}'", "hunter2b"),
    ("SECRET", "pass={}", "s3cr3tPw"),
    ("SECRET", "mysql --password {} x", "Passw0rd123"),
    ("SECRET", "--password '{}'", "Passw0rd123"),
    ("SECRET", "<password>{}</password>", "Tr0ub4dor"),
    ("SECRET", "| password | {} |", "Tr0ub4dor"),
    ("SECRET", "password | {}", "Tr0ub4dor&3"),
    ("SECRET", "пароль: {}", "Tr0ub4dor3"),
    ("SECRET", "Cookie: sessionid={}; a=b", "38afes7a8kq2"),
    ("SECRET", "https://x.example/f?sig={}", "0cc175b9c0f1b6a831c399e269772661"),
    ("SECRET", "curl -u admin:{} https://x.example", "Passw0rd123"),
    ("EMAIL_ADDRESS", "{}", "jane.doe @ example.com"),
    ("EMAIL_ADDRESS", "to {} now", "jane.doe@ example.com"),
    ("EMAIL_ADDRESS", "{}", "jane=40example.com"),
    ("EMAIL_ADDRESS", "?to={}", "jane%40example%2Ecom"),
    ("EMAIL_ADDRESS", "{}", "jane&commat;example.com"),
    ("EMAIL_ADDRESS", "{}", "jane.doe@exa-\nmple.com"),
    ("EMAIL_ADDRESS", "mail {}", "jane.doe\n@example.com"),
    ("DATE_OF_BIRTH", "dateOfBirth={}", "1985-03-12"),
    ("DATE_OF_BIRTH", "née à Paris le {}", "12 mars 1985"),
    ("DATE_OF_BIRTH", "{}生まれ", "1985年3月12日"),
    ("DATE_OF_BIRTH", "syntynyt {}", "12.3.1985"),
    ("DATE_OF_BIRTH", "doğum tarihi {}", "12.03.1985"),
    ("DATE_OF_BIRTH", "Date of birth:\n\n{}", "12/03/1985"),
    ("DATE_OF_BIRTH", "født {}", "12.03.1985"),
)

LEFT = (
    "SELECT * FROM users WHERE id BETWEEN 1000000000 AND 9999999999",
    "ticket 122-194-54903",
    "OID 1.3.6.1.4.1.30390.8",
    "article DE77605507311503768384",
    "part no. 962-79-9881",
    "total $716,833,925.00",
    "batch 4589-2864-0177-8435",
    "see 4.8.3.2, J. Aero. 381-397 (1950) and 307-357 /1910",
    "release 5.14.4.2, and version 8.2.4.45",
    "@decorator.setter, HEAD@{1}, foo@bar and user@",
    "2021-04-14T08:32:19Z 20210414T083219",
    "ae7c3532-4a1b-4c2d-8e3f-78064e060037",
    "12345678-1234-4123-8123-123456789012",
    "order number 3294200571193157",
    "model DL853-G11 on kernel 6.17.198-24-amd64",
    "commit 83b4d7dd514a7f5ffc594cbdc6e52486dfefa9b8",
    "ISBN 978-7-420-80189-3",
    "at 46.89169, 73.56357",
    "std::vector<a::b> x[1::2]; 127.0.0.1 and ::1",
    "see pages 101-120, 130-145 and 150 of 2019 2020 2021 2022",
    "password = getpass.getpass(); token: str = tokens.next()",
    "we met at example and dot it down",
    "he bore it on 12 March 1984",
    "10.5.2.1 Scope of the standard",
    "see 5.1.2.3 and 5.1.2.4",
    "see 5.1.2.13 and 10.1.2.4",
    "Linux 5.10.0.21",
    "image@2x.png",
    "HTTP 404 500 502 503 1200",
    "x @ self.weight, q @ k.in[0] and a @ b.it(3)",
    "docker run -u 1000:1000 --user www-data:www-data",
    "bypass = on; pass through; | token | description |",
    "Set-Cookie: lang=en; Path=/; Max-Age=3600",
    "width=40px.auto",
    "be12 the quick brown fox jumps over",
)


@pytest.mark.parametrize(("type_", "around", "value"), FOUND)
def test_a_value_is_found_whole_and_alone(type_: str, around: str, value: str) -> None:
    text = around.format(value)

    found = scan(text)

    assert [(f.type, text[f.start : f.end]) for f in found] == [(type_, value)]


def test_values_side_by_side_are_two() -> None:
    text = "call +33 1 70 18 99 322 (713 25 9948) 4111 1111 1111 1111"

    assert [(f.type, text[f.start : f.end]) for f in scan(text)] == [
        ("PHONE_NUMBER", "+33 1 70 18 99 322"),
        ("US_SSN", "713 25 9948"),
        ("CREDIT_CARD", "4111 1111 1111 1111"),
    ]


@pytest.mark.parametrize("text", LEFT)
def test_what_only_looks_like_a_value_is_left_alone(text: str) -> None:
    assert [text[f.start : f.end] for f in scan(text)] == []
