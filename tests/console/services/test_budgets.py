"""Budgets: for what there can be one, and what is refused."""

from decimal import Decimal

import pytest

from embedmill.console.listening import Listener, Notice
from embedmill.console.services.budgets import delete_budget, read_name, set_budget, show_budgets
from embedmill.shared.errors import NotFound, UsageError, UserError
from embedmill.shared.ledger import BudgetScope
from embedmill.shared.runtime import Runtime
from tests.shared.db.tracker import Tracker


@pytest.mark.parametrize(
    ("scope", "name"),
    [(BudgetScope.JOB, ""), (BudgetScope.JOB, "x"), (BudgetScope.DAY, "x"), (BudgetScope.PROVIDER, "")],
)
def test_a_name_that_its_scope_does_not_take_is_a_usage_error(runtime: Runtime, scope: BudgetScope, name: str) -> None:
    with pytest.raises(UsageError):
        set_budget(runtime, scope, name, usd=Decimal(1))


@pytest.mark.parametrize(
    ("scope", "name", "told"),
    [
        (BudgetScope.JOB, "99", "no job 99"),
        (BudgetScope.PROVIDER, "opnai", "there are anthropic, bedrock, cohere, openai"),
    ],
)
def test_a_budget_for_a_job_or_provider_that_there_is_not_is_refused(
    runtime: Runtime, scope: BudgetScope, name: str, told: str
) -> None:
    with pytest.raises(UserError, match=told):
        set_budget(runtime, scope, name, usd=Decimal(1))
    assert show_budgets(runtime).budgets == []


def test_a_budget_for_a_collection_that_is_still_to_come_says_so(runtime: Runtime) -> None:
    told: list[Notice] = []
    set_budget(runtime, BudgetScope.COLLECTION, "manuals", tokens=1, listener=Listener(on_notice=told.append))
    assert ["no collection named 'manuals' yet" in notice.text for notice in told] == [True]


def test_a_job_s_budget_is_found_however_its_number_is_written(runtime: Runtime, tracker: Tracker) -> None:
    set_budget(runtime, BudgetScope.JOB, f"00{tracker.job}", usd=Decimal(1))
    (found,) = show_budgets(runtime).budgets
    assert (found.name, found.label) == (str(tracker.job), f"job {tracker.job}")
    assert read_name(BudgetScope.COLLECTION, "007") == "007"


def test_a_limit_is_never_more_than_what_was_asked_for(runtime: Runtime) -> None:
    assert set_budget(runtime, BudgetScope.DAY, usd=Decimal("0.0000019")).usd == 0.000001


def test_a_limit_of_nothing_has_stopped_what_it_is_for_and_raised_every_alert(runtime: Runtime) -> None:
    found = set_budget(runtime, BudgetScope.DAY, usd=Decimal(0))
    assert (found.percent, found.stopped) == (100.0, True)
    assert [alert.percent for alert in show_budgets(runtime).alerts] == [100, 90, 75]


def test_a_limit_that_there_is_not_cannot_be_taken_away(runtime: Runtime) -> None:
    set_budget(runtime, BudgetScope.TOTAL, tokens=5)
    delete_budget(runtime, BudgetScope.TOTAL)
    with pytest.raises(NotFound, match="no budget for total"):
        delete_budget(runtime, BudgetScope.TOTAL)
