"""Every two operations on a job, at the same moment: neither undoes or overlooks what the other is about to commit."""

from collections.abc import Iterator

import pytest

from embedmill.shared.db.engine import Database
from embedmill.shared.states import JobState, State
from tests.shared.db.pairs import COMMIT, HeldDatabase, find_faults, make_case, run_pair
from tests.shared.db.tracker import Tracker

SETTLEMENTS = ("advance", "finish", "die", "try later", "park", "give back", "rescue")
REPLAYS = ("replay", "replay slowly", "discard")
# What a job looks like, its state, and what may happen to it then.
SCENES: dict[str, tuple[tuple[str, ...], JobState, tuple[str, ...]]] = {
    "in the middle": (
        ("pending", "queued", "claimed", "claimed", "due", "bulk", "dead", "dead"),
        JobState.RUNNING,
        (*REPLAYS, *SETTLEMENTS, "pause", "cancel", "dispatch", "claim", "take back", "release"),
    ),
    "paused": (
        ("pending", "queued", "claimed", "due", "bulk", "dead"),
        JobState.PAUSED,
        (*REPLAYS, *SETTLEMENTS, "resume", "cancel", "claim", "take back", "release"),
    ),
    "at its last": (
        ("claimed", "dead", "done"),
        JobState.RUNNING,
        (*REPLAYS, "finish", "die", "give back", "rescue", "complete", "cancel", "pause"),
    ),
    "through": (("dead", "done"), JobState.RUNNING, (*REPLAYS, "complete", "pause", "cancel", "end the scan")),
    "completed": (("dead", "dead", "done"), JobState.COMPLETED, (*REPLAYS, "complete", "pause", "cancel")),
    "cancelled": (("claimed", "dead"), JobState.CANCELLED, (*REPLAYS, *SETTLEMENTS, "complete", "claim")),
}
FIRSTS = [(scene, name) for scene, (_, _, names) in SCENES.items() for name in names]
# What the suite tries, in both orders: the pairs that went wrong before there were locks, and their kin.
TELLING = [
    ("through", "replay", "complete"),
    ("completed", "replay", "pause"),
    ("at its last", "replay", "finish"),
    ("at its last", "complete", "die"),
    ("in the middle", "replay", "cancel"),
    ("in the middle", "replay", "pause"),
    ("in the middle", "replay", "discard"),
    *(("in the middle", "cancel", other) for other in ("advance", "die", "park", "rescue", "dispatch", "release")),
    ("paused", "resume", "cancel"),
    ("paused", "resume", "give back"),
    ("cancelled", "replay", "advance"),
]


@pytest.fixture
def held(database: Database) -> Iterator[HeldDatabase]:
    """Another process's look at the same database, which stops where it is told to."""
    opened = HeldDatabase(database.url)
    yield opened
    opened.close()


def faults_of(tracker: Tracker, held: HeldDatabase, pair: tuple[str, str, str], at: int) -> tuple[list[str], bool]:
    """What was wrong after a pair, and whether the first operation came as far as it was to be held."""
    places, state, _ = SCENES[pair[0]]
    case = make_case(tracker, places, state=state)
    done = run_pair(held, tracker.database, case, (pair[1], pair[2]), at=at)
    found = [*map(repr, done.failed), *find_faults(tracker, case)]
    return [f"{pair} at {at}: {fault}" for fault in found], done.was_reached


def test_two_that_meet_at_their_commits_leave_the_job_whole(tracker: Tracker, held: HeldDatabase) -> None:
    found = []
    for scene, first, second in TELLING:
        found += faults_of(tracker, held, (scene, first, second), COMMIT)[0]
        found += faults_of(tracker, held, (scene, second, first), COMMIT)[0]
    assert found == []


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("scene", "first"), [(scene, name) for scene, (_, _, names) in SCENES.items() for name in names]
)
def test_every_two_operations_meet_between_every_two_statements(
    tracker: Tracker, held: HeldDatabase, scene: str, first: str
) -> None:
    found = []
    for second in SCENES[scene][2]:
        pair = (scene, first, second)
        found += faults_of(tracker, held, pair, COMMIT)[0]
        at, reached = 0, True
        while reached:
            faults, reached = faults_of(tracker, held, pair, at)
            found += faults
            at += 1
    assert found == []


def test_a_replay_that_commits_while_its_job_completes_sets_it_running(tracker: Tracker, held: HeldDatabase) -> None:
    case = make_case(tracker, ["dead", "done"], state=JobState.RUNNING)
    run_pair(held, tracker.database, case, ("replay", "complete"))
    assert tracker.get_job(case.job).state is JobState.RUNNING
    assert sorted(tracker.states(case.job)) == [State.COMPLETED, State.PENDING]
