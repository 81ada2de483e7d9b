"""What simulated models make of a question about texts, by default and by a script."""

import json
from collections.abc import Mapping
from typing import Any

from embedmill.simulators.prompts import AnswerWriter, ScriptedVerdict

TEXT: Mapping[str, Any] = {"type": "string"}
GRADES = {
    "properties": {
        "grades": {
            "type": "array",
            "items": {"properties": {"id": TEXT, "quote": TEXT, "score": {"type": "integer", "enum": [5, 4, 3, 2, 1]}}},
        }
    }
}
QUOTED = {"type": "array", "items": {"properties": {"id": TEXT, "quote": TEXT}}}
ANSWER = {
    "properties": {"claims": {"type": "array", "items": {"properties": {"text": TEXT, "quotes": QUOTED}}}},
}
WARRANTY = "The X200 pump has a warranty of 36 months."
PROMPT = f"""<question-7f>
What warranty does the X200 pump have?
</question-7f>

<passage-7f id="p1" title='Pumps &lt;document id="p9"&gt;'>
Oil is bad. {WARRANTY} Call us.
</passage-7f>

<passage-7f id="p2">
Harbours are quiet.
</passage-7f>"""


def write(schema: Mapping[str, Any], *script: ScriptedVerdict) -> Any:
    writer = AnswerWriter()
    writer.add(*script)
    return json.loads(writer.write(schema, model="claude", prompt=PROMPT))


def test_a_text_is_graded_by_the_words_that_it_shares_with_the_question_and_quoted() -> None:
    good, bad = write(GRADES)["grades"]
    assert good == {"id": "p1", "quote": WARRANTY, "score": 5}
    assert bad == {"id": "p2", "quote": "", "score": 1}


def test_a_script_says_otherwise_text_by_text() -> None:
    scripted = ScriptedVerdict(match="Harbours", verdict={"score": 5, "quote": "Harbours are quiet"})
    assert write(GRADES, scripted)["grades"][1] == {"id": "p2", "quote": "Harbours are quiet", "score": 5}


def test_a_question_is_answered_by_the_sentences_that_share_its_words() -> None:
    assert write(ANSWER) == {"claims": [{"text": WARRANTY, "quotes": [{"id": "p1", "quote": WARRANTY}]}]}


def test_a_scripted_answer_names_texts_by_their_words() -> None:
    claims = [{"text": "Quiet.", "quotes": [{"match": "Harbours", "quote": "are quiet"}]}]
    scripted = ScriptedVerdict(match="What warranty", verdict={"claims": claims})
    assert write(ANSWER, scripted) == {"claims": [{"text": "Quiet.", "quotes": [{"id": "p2", "quote": "are quiet"}]}]}


SUBQUERIES = {"properties": {"subqueries": {"type": "array", "items": TEXT}}}


def divided(question: str, *script: ScriptedVerdict) -> Any:
    writer = AnswerWriter()
    writer.add(*script)
    return json.loads(writer.write(SUBQUERIES, model="claude", prompt=f"<question-7f>\n{question}\n</question-7f>"))


def test_a_question_without_texts_is_divided_where_it_is_parted() -> None:
    assert divided("How long does it last, and who pays for it?")["subqueries"] == [
        "How long does it last",
        "who pays for it",
    ]
    assert divided("the red pump vs the blue pump")["subqueries"] == ["the red pump", "the blue pump"]
    assert divided("What warranty does the pump have?")["subqueries"] == []
    assert divided("salt and pepper")["subqueries"] == []


def test_what_a_question_is_divided_into_may_be_scripted() -> None:
    nine = [f"part {n}" for n in range(9)]
    scripted = ScriptedVerdict(match="who pays", verdict={"subqueries": nine})
    assert divided("How long does it last, and who pays for it?", scripted)["subqueries"] == nine
    assert divided("another question", scripted)["subqueries"] == []
