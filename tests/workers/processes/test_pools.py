"""The plan of a supervisor: shares add up, a scaled queue has processes of its own, all else stays as started."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared import stages
from embedmill.shared.settings import Settings
from embedmill.workers.processes.pools import (
    THREADS_PER_PROCESS,
    Group,
    PoolKind,
    PoolSpec,
    Situation,
    default_kind,
    plan,
    provider_cap,
    share,
    slots_by_queue,
    split,
)

EVERYTHING = stages.names()
OTHERS = ("chunk", "validate", "index")


def situation(own: str = "a", serving: tuple[str, ...] = ("a",), **desired: int) -> Situation:
    return Situation(own, desired, dict.fromkeys(stages.names(), serving), {})


@given(st.integers(0, 1000), st.sets(st.text(min_size=1, max_size=3), min_size=1, max_size=9))
def test_the_shares_of_all_supervisors_add_up_and_are_even(desired: int, names: set[str]) -> None:
    shares = [share(desired, list(names), name) for name in names]
    assert sum(shares) == desired
    assert max(shares) - min(shares) <= 1


def test_a_supervisor_that_serves_a_queue_unknown_to_others_takes_nothing_of_it() -> None:
    assert share(4, ["a", "b"], "c") == 0


def test_what_nobody_scaled_stays_as_it_was_started() -> None:
    wanted = plan([PoolSpec(slots=3)], situation(), Settings())
    assert wanted == {Group(EVERYTHING, PoolKind.PREFORK): 3}


def test_a_scaled_queue_is_left_to_processes_of_its_own() -> None:
    wanted = plan([PoolSpec(slots=3)], situation(embed=5), Settings())
    assert wanted == {Group(OTHERS, PoolKind.PREFORK): 3, Group(("embed",), PoolKind.PREFORK): 5}


def test_a_queue_that_is_not_served_here_is_nobody_s_business_here() -> None:
    wanted = plan([PoolSpec(("chunk",), 2)], situation(embed=5), Settings())
    assert wanted == {Group(("chunk",), PoolKind.PREFORK): 2}


def test_what_was_drained_for_good_is_not_started_again() -> None:
    drained = Situation("a", {}, {}, {EVERYTHING: 2})
    assert plan([PoolSpec(slots=3)], drained, Settings()) == {Group(EVERYTHING, PoolKind.PREFORK): 1}


@given(st.sampled_from(PoolKind), st.integers(0, 300))
def test_slots_are_split_into_processes_without_a_rest(kind: PoolKind, slots: int) -> None:
    sizes = split(kind, slots)
    assert sum(sizes) == slots
    assert all(1 <= size <= (THREADS_PER_PROCESS if kind is PoolKind.THREADS else 1) for size in sizes)


def test_slots_are_counted_for_every_queue_that_a_process_serves() -> None:
    wanted = {Group(OTHERS, PoolKind.PREFORK): 3, Group(("embed",), PoolKind.THREADS): 5}
    assert slots_by_queue(wanted) == {"chunk": 3, "validate": 3, "embed": 5, "index": 3}


@pytest.mark.parametrize(
    ("stage", "settings", "kind"),
    [
        ("chunk", Settings(), PoolKind.PREFORK),
        ("embed", Settings(embedding="local"), PoolKind.PREFORK),
        ("embed", Settings(embedding="local/minilm"), PoolKind.PREFORK),
        ("embed", Settings(embedding="openai/text-embedding-3-large"), PoolKind.THREADS),
        ("index", Settings(), PoolKind.PREFORK),
        ("index", Settings(vector_url="pinecone://index"), PoolKind.THREADS),
        ("validate", Settings(validator="rules"), PoolKind.PREFORK),
        ("validate", Settings(validator="anthropic/claude-opus-4-7"), PoolKind.THREADS),
    ],
)
def test_threads_are_for_stages_that_wait_for_another_computer(stage: str, settings: Settings, kind: str) -> None:
    assert default_kind(stage, settings) == kind


def caps(**chosen: Any) -> dict[str, tuple[int, str]]:
    found = {stage: provider_cap(stage, Settings(**chosen)) for stage in stages.names()}
    return {stage: (cap.slots, cap.setting.removeprefix("EMBEDMILL_")) for stage, cap in found.items() if cap}


def test_slots_are_capped_by_what_is_set_for_their_provider() -> None:
    assert caps() == {}
    assert caps(embed_max_concurrency=8) == {"embed": (8, "EMBED_MAX_CONCURRENCY")}
    limits = {"openai": {"rpm": 60}, "anthropic/claude-opus-4-7": {"rpm": 50, "tpm": 1000}}
    assert caps(limits=limits) == {}, "nothing is paid for, so nobody refuses"
    paid = {"embedding": "openai/text-embedding-3-small", "validator": "anthropic/claude-opus-4-7", "limits": limits}
    assert caps(**paid) == {"embed": (60, "LIMITS"), "validate": (12, "LIMITS")}, "a slot has four calls out"
    assert caps(**paid, embed_max_concurrency=8)["embed"] == (8, "EMBED_MAX_CONCURRENCY")
    assert caps(**paid, embed_max_concurrency=80)["embed"] == (60, "LIMITS")
    scarce = {"anthropic": {"rpm": 2}}
    assert caps(**(paid | {"limits": scarce})) == {"validate": (1, "LIMITS")}
