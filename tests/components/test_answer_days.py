"""A system's answers and calls by day, through Dagster: compacted, judged, forgotten by the log, and found again."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import dagster as dg
import pytest

from ops_pipelines.adapters.call_records import answers_in, calls_in, find_answer
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.components.answer_days import AnswerDays, Latency, answer_days, due_days
from ops_pipelines.components.house import furnish
from ops_pipelines.core.clock import Window
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.release import Manifest
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.answer_log import answer_id
from ops_pipelines.llmops.budget import Budget, accounts_of
from ops_pipelines.llmops.cost import nanos
from ops_pipelines.testing.answer_log import MONDAY, WEEK, answered_of
from ops_pipelines.testing.call_log import call_of
from ops_pipelines.testing.clock import FixedClock
from ops_pipelines.testing.release_store import evidence_against

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")  # a check of one partition is in preview

SYSTEM = "runbook_answers"
DAY, NEXT, THIRD = "2026-03-02", "2026-03-03", "2026-03-04"
NOON = MONDAY + timedelta(hours=12)
BUDGET = Budget("daily", Decimal(1), per=("tenant",))


class Desk:
    """A project in which questions are answered, at a wall clock that stands where a test puts it."""

    def __init__(self):
        self.now = MONDAY + timedelta(days=1, minutes=30)
        budgets = self.platform.objects.put(canonical_json([BUDGET.to_json()]))
        manifest = Manifest(SYSTEM, {"budgets": budgets})
        self.platform.releases.save(manifest, evidence_against(None))
        self.release = manifest.digest

    @property
    def platform(self):
        return replace(Platform.embedded(), clock=FixedClock(self.now))

    def ask(self, number, *, at=NOON, usd="0.25", **changes):
        """A question that was answered by one call; the answer's id."""
        id = answer_id(SYSTEM, self.release, at, f"{number}")
        call = call_of(f"call-{number}", at=at, usd=Decimal(usd), release=self.release)
        one = answered_of(id, at=at, calls=(call.id,), release=self.release, **changes)
        self.platform.calls.keep([call])
        self.platform.answers.keep([one])
        return id

    def compact(self, day=DAY, parts=("answers", "calls"), **settings):
        """Each check's name and whether it passed, of one day."""
        defs = furnish(answer_days(SYSTEM, AnswerDays(**settings)), self.platform)
        job = defs.resolve_implicit_global_asset_job_def()
        keys = [dg.AssetKey([SYSTEM, part]) for part in parts]
        done = job.execute_in_process(partition_key=day, asset_selection=keys, raise_on_error=False)
        return {
            f"{check.asset_key.path[-1]}.{check.check_name}": check.passed
            for check in done.get_asset_check_evaluations()
        }

    def findings(self, day=DAY):
        return self.platform.latest(f"{SYSTEM}/answers@{day}").findings


@pytest.fixture
def desk(tmp_path, monkeypatch):
    for name, text in {"pyproject.toml": "[tool.ops]\n", "requirements.lock": "pytest==9.2.0\n"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPS_HOME", str(tmp_path / "home"))
    find_project.cache_clear()
    yield Desk()
    find_project.cache_clear()


def test_a_day_is_compacted_with_what_it_cost_and_judged(desk):
    for number in range(20):
        desk.ask(number, usd="0.01")
    assert desk.compact(latency_ms=Latency(p95=1_000)) == {
        "answers.is_complete": True,
        "answers.latency": True,
        "answers.spend": True,
        "answers.errors": True,
        "answers.stopped": True,
        "calls.is_complete": True,
    }
    table = desk.platform.lake.read(f"{SYSTEM}/answers", DAY)
    assert table.column("nanos").to_pylist() == [10_000_000] * 20


def test_slow_failed_and_stopped_answers_are_findings_and_hold_nothing_back(desk):
    for number, outcome in enumerate(["timeout", "stopped", *["answered"] * 6]):
        desk.ask(number, outcome=outcome, latency_ms=5_000.0)
    checks = desk.compact(latency_ms=Latency(p50=1_000), least=5, most_failed=0.1, most_stopped=0.1)
    assert checks["answers.is_complete"]
    blocked = {name for name, found in desk.findings().items() if isinstance(found, Blocked)}
    assert blocked == {"errors", "stopped", "latency"}


def test_a_budget_that_reached_its_alert_is_named_with_the_questions_that_it_refused(desk):
    desk.ask(1, tenant="acme")
    desk.ask(2, outcome="over_budget", usage=None, usd="0")
    accounts = accounts_of([BUDGET], desk.platform.answers.find(desk.ask(1)).caller, NOON)
    desk.platform.budgets.reserve("r", accounts, nanos(Decimal("0.9")), at=NOON, until=NOON + timedelta(hours=1))
    desk.platform.budgets.settle("r", nanos(Decimal("0.9")), at=NOON)
    desk.compact()
    spend = desk.findings()["spend"]
    assert isinstance(spend, Blocked)
    assert "1 question was refused" in spend.reasons[0]
    assert "daily[tenant=acme] of $1 was spent or reserved to 90%" in spend.reasons[1]
    assert spend.evidence["accounts"][0]["state"] == "exhausted"


def test_a_day_without_a_question_is_not_evaluated_and_refused(desk):
    checks = desk.compact()
    assert not any(checks.values())
    assert isinstance(desk.platform.latest(f"{SYSTEM}/answers@{DAY}").verdict, NotEvaluated)


def test_late_rows_join_the_day_and_the_same_rows_again_change_nothing(desk):
    desk.ask(1)
    desk.compact()
    first = desk.platform.good(f"{SYSTEM}/answers@{DAY}").digest
    desk.compact()
    assert desk.platform.good(f"{SYSTEM}/answers@{DAY}").digest == first
    desk.ask(2)
    desk.compact()
    assert desk.platform.lake.read(f"{SYSTEM}/answers", DAY).num_rows == 2


def test_a_log_that_tells_another_answer_than_was_compacted_is_refused_and_nothing_is_forgotten(desk):
    id = desk.ask(1)
    desk.compact()
    found = desk.platform.answers.find(id)
    desk.platform.answers.forget([id])
    desk.platform.answers.keep([replace(found, answer=replace(found.answer, text="Do nothing."))])
    desk.now += timedelta(days=5)
    assert not desk.compact()["answers.is_complete"]
    assert desk.platform.answers.find(id)
    assert find_answer(desk.platform, id).answered == found


def test_the_log_forgets_a_day_once_it_and_one_more_are_over_and_whatever_asks_still_finds_it(desk):
    ids = [desk.ask(1), desk.ask(2, at=NOON + timedelta(days=1)), desk.ask(3, at=NOON + timedelta(days=2))]
    answered = [find_answer(desk.platform, id) for id in ids]
    for day in (DAY, NEXT, THIRD):
        desk.now += timedelta(days=1)
        desk.compact(day)
    assert [desk.platform.answers.find(id) is None for id in ids] == [True, True, False]
    assert [one.answered for one in answered] == [find_answer(desk.platform, id).answered for id in ids]
    assert find_answer(desk.platform, ids[0]).where == f"{SYSTEM}/answers@{DAY}"
    assert sorted(one.id for one in answers_in(desk.platform, WEEK, SYSTEM)) == sorted(ids)
    assert sorted(call.id for call in calls_in(desk.platform, WEEK)) == ["call-1", "call-2", "call-3"]


def test_a_window_within_a_day_holds_what_was_asked_in_it(desk):
    desk.ask(1)
    desk.ask(2, at=NOON + timedelta(hours=2))
    desk.compact()
    noon = Window(NOON, NOON + timedelta(hours=1))
    assert [len(list(found(desk.platform, noon))) for found in (answers_in, calls_in)] == [1, 1]


def test_an_id_that_names_no_day_is_looked_for_everywhere_and_one_of_nobody_is_none(desk):
    desk.platform.answers.keep([answered_of("theirs", at=NOON, calls=())])
    desk.compact(parts=("answers",))
    desk.platform.answers.forget(["theirs"])
    assert find_answer(desk.platform, "theirs").where == f"{SYSTEM}/answers@{DAY}"
    assert find_answer(desk.platform, "nobody's") is None


def test_an_answer_of_midnight_is_priced_by_the_call_of_the_next_day(desk):
    moment = MONDAY + timedelta(days=1) - timedelta(microseconds=1)
    desk.platform.calls.keep([call_of("late", at=moment + timedelta(seconds=1), usd=Decimal(2))])
    desk.platform.answers.keep([answered_of("a", at=moment, calls=("late",))])
    desk.compact(parts=("answers",))
    assert desk.platform.lake.read(f"{SYSTEM}/answers", DAY).column("nanos").to_pylist() == [2 * 10**9]


def test_each_day_that_is_over_and_not_compacted_is_asked_for_with_what_lacks_it(desk):
    desk.ask(1)
    desk.ask(2, at=NOON + timedelta(days=1))
    desk.ask(3, at=NOON + timedelta(days=2))
    desk.now += timedelta(days=1)
    desk.compact(DAY, parts=("answers",))
    due = due_days(SYSTEM, desk.platform, desk.now)
    assert [(one.partition_key, [key.path[-1] for key in one.asset_selection]) for one in due] == [
        (DAY, ["calls"]),
        (NEXT, ["answers", "calls"]),
    ]


def test_the_schedule_is_stopped_on_a_fresh_clone_and_asks_for_yesterday(desk):
    desk.ask(1)
    defs = furnish(answer_days(SYSTEM, AnswerDays()), desk.platform)
    schedule = defs.resolve_schedule_def(f"{SYSTEM}_answers")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    with dg.build_schedule_context(
        scheduled_execution_time=desk.now,
        repository_def=defs.get_repository_def(),
        resources={"platform": desk.platform},
    ) as context:
        asked = schedule.evaluate_tick(context)
    assert [request.partition_key for request in asked.run_requests] == [DAY]


def test_the_schedule_asks_for_no_day_before_the_first_and_for_none_that_goes_on(desk):
    desk.ask(1)
    desk.ask(2, at=desk.now)
    defs = furnish(answer_days(SYSTEM, AnswerDays(start=NEXT)), desk.platform)
    with dg.build_schedule_context(
        scheduled_execution_time=desk.now,
        repository_def=defs.get_repository_def(),
        resources={"platform": desk.platform},
    ) as context:
        asked = defs.resolve_schedule_def(f"{SYSTEM}_answers").evaluate_tick(context)
    assert (asked.run_requests, asked.skip_message) == ([], "every day that is over is compacted")


def test_limits_that_cannot_be_are_refused_when_the_yaml_is_read():
    with pytest.raises(ConfigError, match="latency_ms"):
        answer_days(SYSTEM, AnswerDays(latency_ms=Latency(p50=10, p95=5)))


def test_what_a_day_holds_is_judged_whole_after_its_log_was_forgotten(desk):
    for number in range(5):
        desk.ask(number)
    desk.compact(least=5)
    desk.platform.answers.forget([one.id for one in desk.platform.answers.answers(WEEK)])
    desk.compact(least=5)
    assert isinstance(desk.findings()["errors"], Passed)
