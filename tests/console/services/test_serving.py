"""What services ask of callers: every one says so, roles have their rights, and what is not reached is not there."""

import ast
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from inspect import isfunction, signature
from pathlib import Path
from typing import Any

import pytest

from embedmill.console.services import (
    budgets,
    collections,
    controlling,
    dead_letters,
    document_reports,
    documents,
    exporting,
    jobs,
    searching,
    sources,
    workers,
)
from embedmill.console.services.documents import DocumentQuery
from embedmill.console.services.reach import every_reached
from embedmill.console.services.serving import DECLARED, Service, serves
from embedmill.console.usual import USUAL
from embedmill.shared.access.principals import RIGHTS, Principal, Right, Role
from embedmill.shared.errors import AccessDenied, EmbedmillError, NotFound, UsageError
from embedmill.shared.letters import LetterFilter
from embedmill.shared.runtime import Runtime
from tests.shared.db.tracker import Tracker

ROOT = Path(__file__).parents[3]
DOORS = [*(ROOT / "console" / "cli").glob("*.py"), ROOT / "embedmill" / "api.py"]
SERVICES = "embedmill.console.services"


def called_by_doors() -> Iterator[tuple[str, str]]:
    """Module and function of all that doors take from services, by whatever name they call it."""
    for door in DOORS:
        tree = ast.parse(door.read_text(encoding="utf-8"))
        modules: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(SERVICES):
                for name in node.names:
                    if node.module == SERVICES:
                        modules[name.asname or name.name] = f"{SERVICES}.{name.name}"
                    else:
                        yield node.module or "", name.name
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                yield modules[node.value.id], node.attr


def takes_a_runtime(function: Any) -> bool:
    return isfunction(function) and next(iter(signature(function).parameters), "") == "runtime"


SERVED = sorted(
    {
        (module, name)
        for module, name in called_by_doors()
        if takes_a_runtime(getattr(import_module(module), name, None))
    }
)


def test_every_service_that_a_door_calls_says_what_it_asks_of_callers() -> None:
    assert len(SERVED) > 60
    silent = [
        f"{module}.{name}" for module, name in SERVED if not hasattr(getattr(import_module(module), name), DECLARED)
    ]
    assert silent == [], "declare them with @serves (console/services/serving.py)"


def declared() -> Iterator[Service]:
    for module, name in SERVED:
        yield getattr(getattr(import_module(module), name), DECLARED)


@pytest.mark.parametrize("role", Role)
def test_a_role_is_let_in_where_it_has_the_right_and_nowhere_else(runtime: Runtime, role: Role) -> None:
    for service in declared():
        refused = False
        try:
            service._require(Principal("somebody", role))
        except AccessDenied:
            refused = True
        assert refused is (service.right not in RIGHTS[role]), service.action


def test_who_reads_some_levels_is_refused_where_levels_are_not_kept_apart(runtime: Runtime) -> None:
    viewer = Principal("somebody", Role.VIEWER, levels=frozenset({"public"}))
    for service in declared():
        if service.right is Right.READ and not service.filters:
            with pytest.raises(AccessDenied):
                service._require(viewer)


@pytest.fixture
def job(runtime: Runtime, tracker: Tracker) -> int:
    """A job in `default`; `other` is there, and has none."""
    tracker.submit(["a", "b"])
    collections.create_collection(runtime, "other")
    return tracker.job


Asking = Callable[[Runtime, str], object]
ASKINGS: dict[str, Asking] = {
    "search": lambda r, name: searching.search(r, "word", collection=name, top_k=1, mode="hybrid"),
    "show": collections.show_collection,
    "export": lambda r, name: list(exporting.export(r, name)),
    "documents": lambda r, name: documents.list_documents(r, DocumentQuery(name)),
    "a document": lambda r, name: document_reports.show_document(r, "a", collection=name),
    "jobs": lambda r, name: jobs.list_jobs(r, collection=name),
    "sources": lambda r, name: sources.list_sources(r, collection=name),
    "letters": lambda r, name: dead_letters.list_letters(r, LetterFilter(collection=name)),
}


def error_of(asking: Callable[[], object]) -> tuple[type[EmbedmillError], str, str]:
    with pytest.raises(EmbedmillError) as caught:
        asking()
    return type(caught.value), str(caught.value), caught.value.hint


OPERATOR = Principal("somebody", Role.OPERATOR, frozenset({"other"}))


@pytest.mark.parametrize("asking", ASKINGS.values(), ids=list(ASKINGS))
def test_a_collection_that_is_not_reached_is_missing_in_the_same_words(
    runtime: Runtime, job: int, asking: Asking
) -> None:
    collections.create_collection(runtime, "hidden")
    with runtime.acting_for(Principal("somebody", Role.OPERATOR, frozenset({"none"}))):
        missing = error_of(lambda: asking(runtime, "none"))
        hidden = error_of(lambda: asking(runtime, "hidden"))
    assert missing[0] is NotFound
    assert hidden == (missing[0], *(text.replace("none", "hidden") for text in missing[1:]))


def test_a_job_of_another_collection_is_no_job(runtime: Runtime, job: int) -> None:
    for ask in (jobs.describe_job, jobs.explain_job, controlling.cancel, jobs.list_waiting):
        with runtime.acting_for(OPERATOR):
            kind, text, hint = error_of(lambda ask=ask: ask(runtime, job))  # type: ignore[misc]
            other = error_of(lambda ask=ask: ask(runtime, job + 90))  # type: ignore[misc]
        assert (kind, text.replace(str(job), "N"), hint) == (other[0], other[1].replace(str(job + 90), "N"), other[2])
    with runtime.acting_for(OPERATOR), pytest.raises(NotFound):
        documents.list_documents(runtime, DocumentQuery(job=job))


def test_lists_show_what_is_reached(runtime: Runtime, job: int) -> None:
    with runtime.acting_for(OPERATOR):
        assert [c.name for c in collections.list_collections(runtime).collections] == ["other"]
        assert jobs.list_jobs(runtime).jobs == []
        assert documents.list_documents(runtime).documents == []
        assert sources.list_sources(runtime).sources == []
        assert dead_letters.list_letters(runtime).total == 0


def test_who_reaches_several_says_which(runtime: Runtime, job: int) -> None:
    several = Principal("somebody", Role.OPERATOR, frozenset({"other", "more"}))
    with runtime.acting_for(several), pytest.raises(UsageError) as caught:
        jobs.list_jobs(runtime)
    assert "more, other" in caught.value.hint


def test_the_installation_is_for_those_who_reach_all_of_it(runtime: Runtime) -> None:
    admin = Principal("somebody", Role.ADMIN, frozenset({"other"}))
    for ask in (budgets.show_budgets, workers.list_workers):
        with runtime.acting_for(admin), pytest.raises(AccessDenied):
            ask(runtime)
        ask(runtime)


def test_a_thread_that_is_served_lets_no_other_one_in(runtime: Runtime, job: int) -> None:
    served, asked = threading.Event(), threading.Event()

    @serves("wait", Right.READ, every_reached)
    def wait(runtime: Runtime) -> None:
        served.set()
        assert asked.wait(30)

    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(wait, runtime)
        assert served.wait(30)
        try:
            with runtime.acting_for(OPERATOR), pytest.raises(NotFound):
                collections.show_collection(runtime, "default")
            assert jobs.list_jobs(runtime).jobs, "nor lends it its name"
        finally:
            asked.set()
        waiting.result()


def test_where_none_is_named_the_only_collection_that_is_reached_is_meant(runtime: Runtime, job: int) -> None:
    def shown() -> str:
        return collections.show_collection(runtime, USUAL).name

    assert shown() == "default"
    for reached, meant in ({"other"}, "other"), ({"other", "default"}, "default"):
        with runtime.acting_for(Principal("somebody", Role.VIEWER, frozenset(reached))):
            assert shown() == meant
    with (
        runtime.acting_for(Principal("somebody", Role.VIEWER, frozenset({"other", "more"}))),
        pytest.raises(UsageError, match="which"),
    ):
        shown()


def test_a_missing_default_is_told_as_what_it_is(runtime: Runtime) -> None:
    with pytest.raises(NotFound, match="nothing is indexed"):
        collections.show_collection(runtime, USUAL)
    collections.create_collection(runtime, "other")
    with pytest.raises(NotFound, match="no collection named 'default'"):
        collections.show_collection(runtime, USUAL)
