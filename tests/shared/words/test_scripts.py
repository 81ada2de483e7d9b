"""Words that no space parts, and words with vowel signs."""
# ruff: noqa: RUF001 - these are the very signs that are told apart

import pytest

from embedmill.shared.words.cutting import count_terms
from tests.shared.words.ranking import rank

TEXTS = {
    "ja": "京都の電車は遅れています。来週は休みでしょう。",
    "ja-other": "大阪の空港は混雑している。",
    "zh": "上海的地铁今天停运，请乘坐公共汽车。",
    "zh-other": "北京的天空很蓝。",
    "ko": "어제 프린터가 멈췄다. 물을 마셨다.",
    "ko-other": "내일 회의가 있다.",
    "th": "เครื่องพิมพ์เสียเพราะกระดาษหมด",
    "th-other": "วันนี้อากาศดีมาก",
    "lo": "ເຄື່ອງພິມເສຍ",
    "km": "ម៉ាស៊ីនបោះពុម្ពខូច",
    "my": "ပရင်တာပျက်နေသည်",
    "hi": "मशीन में कागज़ नहीं है।",
    "hi-other": "मौसम आज बहुत अच्छा है।",
    "mixed": "Web標準2.0のAPIを使う。서버2대와 API를 쓴다.",
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("電車", "ja"),
        ("来週の休み", "ja"),
        ("地铁", "zh"),
        ("公共汽车", "zh"),
        ("프린터", "ko"),
        ("프린터를", "ko"),
        ("물", "ko"),
        ("กระดาษ", "th"),
        ("ພິມ", "lo"),
        ("ខូច", "km"),
        ("ပရင်တာ", "my"),
        ("कागज़", "hi"),
        ("कागज", "hi"),
        ("web", "mixed"),
        ("標準", "mixed"),
        ("サーバ API", "mixed"),
        ("서버", "mixed"),
    ],
)
def test_a_word_within_a_text_finds_it_alone(query: str, found: str) -> None:
    assert rank(query, TEXTS) == [found]


@pytest.mark.parametrize("query", ["車", "海", "蓝"])
def test_a_single_sign_is_a_word(query: str) -> None:
    assert rank(query, TEXTS) == [next(name for name, text in TEXTS.items() if query in text)]


def test_two_signs_count_as_one_word() -> None:
    assert count_terms(text="東京都の天気").length == 3


def test_half_width_kana_are_kana() -> None:
    assert rank("ﾌﾟﾘﾝﾀ", {"printer": "プリンタが止まった", "other": "電車"}) == ["printer"]


@pytest.mark.parametrize("query", ["می\u200cخواهم", "می خواهم", "میخواهم", "كتاب\u200cهاي", "کتاب های", "کتابهای"])
@pytest.mark.parametrize("text", ["من می\u200cخواهم کتاب\u200cهای", "من می خواهم کتاب های", "من میخواهم کتابهای"])
def test_a_joint_within_a_persian_word_is_written_in_three_ways(query: str, text: str) -> None:
    assert rank(query, {"written": text, "other": "او به خانه رفت"}) == ["written"]


def test_a_word_with_a_joint_comes_before_its_parts() -> None:
    assert rank("می خواهم", {"written": "من می\u200cخواهم بروم", "apart": "خواهم گفت که می"})[0] == "written"
