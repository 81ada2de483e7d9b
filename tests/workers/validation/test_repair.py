"""Repairs change what is embedded and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from embedmill.workers.stored import Repair
from embedmill.workers.validation.repair import Reject, decide, find_cuts
from embedmill.workers.validation.verdict import Verdict

BODY = "The pump runs. Page 3 of 9. It stops at noon. Page 3 of 9."


def model(score: int, **fields: object) -> Verdict:
    return Verdict("model", score, **fields)  # type: ignore[arg-type]


def test_a_context_goes_before_and_every_occurrence_of_a_span_goes() -> None:
    repair = decide(model(3, missing_context="About the pump.", cuts=(" Page 3 of 9.",)), BODY, reject_below=2)
    assert isinstance(repair, Repair)
    assert repair.apply(BODY) == "About the pump.\nThe pump runs. It stops at noon."


def test_a_score_below_the_threshold_rejects_with_the_score_as_reason() -> None:
    assert decide(model(2), BODY, reject_below=3) == Reject("the validator gave it 2 of 5")
    assert decide(model(3), BODY, reject_below=3) is None
    assert decide(model(1), BODY, reject_below=1) is None


def test_a_verdict_without_findings_keeps_the_chunk_as_it_is() -> None:
    assert decide(model(5), BODY, reject_below=2) is None


def test_a_chunk_is_never_cut_to_nothing() -> None:
    assert decide(model(4, cuts=(BODY,)), BODY, reject_below=2) is None


def test_the_rules_reject_only_what_holds_no_language() -> None:
    assert decide(Verdict("rules", 3, fallback="refused"), BODY, reject_below=5) is None
    assert decide(Verdict("rules", 1, "no letter"), "--", reject_below=2) == Reject("no letter")


def test_a_repair_survives_being_stored() -> None:
    repair = Repair("context", ((0, 3), (5, 9)))
    assert Repair.from_json(repair.as_json()) == repair


@given(st.text(alphabet="ab .", max_size=60), st.lists(st.text(alphabet="ab .", max_size=5), max_size=4))
def test_cuts_lie_in_the_text_in_order_and_apart(body: str, spans: list[str]) -> None:
    cuts = find_cuts(body, spans)
    flat = [place for cut in cuts for place in cut]
    assert flat == sorted(set(flat))
    assert all(0 <= start < end <= len(body) for start, end in cuts)
    removed = sum(end - start for start, end in cuts)
    assert len(Repair("", cuts).apply(body)) == len(body) - removed
