"""An agent from its files to its release, through its assets."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ops_pipelines.adapters.lineage_sources import rooms_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.recorded_runs import keep_run, runs_folder
from ops_pipelines.components.agent_backtest import LOOSENED, make_backtest
from ops_pipelines.components.agent_candidate import make_candidate
from ops_pipelines.components.agent_gate import make_comparison
from ops_pipelines.components.agent_replays import AS_RECORDED, make_replays, recorded_set
from ops_pipelines.core.errors import ConfigError, DataError, NotAllowed
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, reasons_of
from ops_pipelines.core.walk import explain
from ops_pipelines.testing.refund_agent import HERE, POLICY

from .agent_project import TASKS, Desk, failed_checks

LOOSE = POLICY.replace(" && context.approved", "")
STRICT = POLICY + '@id("no notes") forbid(principal, action, resource == Tool::"note");'

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")  # a check of one partition is in preview


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Iterator[Desk]:
    monkeypatch.delenv("OPS_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    yield Desk.at(tmp_path)
    find_project.cache_clear()


def reasons(verdict) -> str:
    return "; ".join(reasons_of(verdict))


def test_it_is_put_together_run_on_its_tasks_gated_and_live_and_all_of_it_can_be_found(desk):
    assert failed_checks(desk.made()) == {}
    release = desk.platform.release("refunds", desk.live())
    assert set(release.manifest.behaviour) == {"agent", "code", "tools", "policy", "budgets"}
    assert set(release.latest.verdict.evidence) >= {"evaluation", "good enough", "backtest", "replays"}
    assert explain(release.digest, rooms_of(desk.platform)).missing == ()


@pytest.mark.long
def test_what_the_gate_refuses_stops_there_and_what_is_live_stays(desk):
    desk.made()
    first = desk.live()
    desk.ran(granted=False)
    desk.policy(LOOSE)
    failed = failed_checks(desk.made())
    assert (set(failed), desk.live()) == ({LOOSENED, "gate"}, first)
    assert list(failed_checks(desk.made(backtest={"loosened": "report"}))) == [LOOSENED]
    assert desk.live() != first


def test_made_again_of_the_same_it_is_the_same_release(desk):
    desk.walked()
    first = desk.live()
    made = desk.walked()
    assert (desk.live(), made["candidate"].facts["changed"]) == (first, [])


def test_a_policy_that_lets_go_what_was_held_back_is_refused_by_its_recorded_calls(desk):
    desk.walked()
    first = desk.live()
    desk.ran(granted=False)
    desk.policy(LOOSE)
    gate = desk.walked()["comparison"].verdict
    assert "of refund would be allowed where they were asked about" in reasons(gate)
    assert desk.live() == first
    assert desk.platform.releases.releases("refunds")[-1].latest.verdict == gate


@pytest.mark.long
def test_what_a_team_only_wants_reported_is_shown_and_ships(desk):
    desk.walked()
    first = desk.live()
    desk.ran(granted=False)
    desk.policy(LOOSE)
    made = desk.walked(backtest={"loosened": "report"})
    assert isinstance(made["backtest"].findings[LOOSENED], Blocked)
    assert desk.live() not in (None, first)


def test_an_agent_that_fails_its_tasks_is_refused(desk):
    desk.policy(STRICT)
    made = desk.walked()
    assert "success" in reasons(made["comparison"].verdict)
    assert (desk.live(), made["evaluation"].facts["summary"]["runs"]) == (None, 1)


def test_where_the_tasks_changed_the_candidate_is_run_on_those_of_the_live_release_too(desk):
    desk.walked()
    first = desk.live()
    desk.tasks(TASKS + TASKS.removeprefix("tasks:\n").replace("id: refund", "id: again"))
    desk.walked(settings={"words": "Returned"})
    assert desk.live() not in (None, first)


def test_what_was_judged_of_another_candidate_opens_no_gate(desk):
    desk.walked()
    first = desk.live()
    desk.policy(POLICY + "// another text\n")
    desk.walked(upto="candidate")
    gate = make_comparison(desk.agent(), desk.platform, run_id="r").verdict
    assert "is stale" in reasons(gate)
    assert (type(gate), desk.live()) == (NotEvaluated, first)


def test_what_was_backtested_beside_another_live_release_opens_no_gate(desk):
    desk.walked()
    strict = desk.live()
    desk.ran(granted=False)
    desk.policy(LOOSE)
    desk.walked(backtest={"loosened": "report"})
    desk.policy(LOOSE + "// no looser than what is live\n")
    desk.walked(upto="replays")
    desk.platform.roll_back("refunds", strict, actor="ben", reason="too loose")
    gate = make_comparison(desk.agent(), desk.platform, run_id="r").verdict
    assert (type(gate), "beside another release than is live" in reasons(gate)) == (NotEvaluated, True)


def test_what_an_agent_hands_on_is_held_against_a_new_policy_too(desk):
    handing = {"program": f"{HERE}:handing_on", "evaluation": {"floors": {"success": 0}}}
    desk.walked(**handing)
    desk.ran(granted=False)
    desk.policy(LOOSE)
    made = desk.walked(upto="backtest", **handing)
    assert "of refund would be allowed where they were asked about" in reasons(made["backtest"].findings[LOOSENED])


@pytest.mark.parametrize(
    "settings",
    [
        {"budgets": {"limit_usd": "a dollar"}},
        {"budgets": {"limit_usd": "NaN"}},
        {"budgets": {"prices": {"refund": "Infinity"}}},
        {"budgets": {"limits": {"approval_seconds": 0}}},
        {"budgets": {"limits": {"tool_seconds": -5}}},
        {"evaluation": {"floors": {"sucess": 1}}},
        {"budgets": {"breaker": {"steps": 0}}},
        {"replays": {"least": -1}},
        {"days": {"most_failed": 3}},
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_is_refused_where_the_yaml_is_loaded(desk, settings):
    with pytest.raises(ConfigError):
        desk.agent(**settings).build_defs(None)


def test_without_tasks_nothing_ships(desk):
    (desk.root / "evals/agents/refunds/tasks.yaml").unlink()
    assert "There are no tasks" in reasons(desk.walked()["evaluation"].verdict)
    assert desk.live() is None


@pytest.mark.parametrize(
    ("policy", "settings", "why"),
    [
        ("permit(principal, action", {}, "cannot be used"),
        (POLICY.replace('"money"', 'Tool::"refnd"'), {}, "cannot be used"),
        (STRICT.replace('"note"', '"nte"'), {}, "Did you mean 'note'?"),
        (POLICY, {"budgets": {"prices": {"refnd": 1}}}, "Did you mean 'refund'?"),
        (POLICY, {"uses": ["answers"]}, "Nothing of 'answers' is live"),
        (POLICY, {"operates": ["flight_delay"]}, "it operates flight_delay, of which nothing is live"),
        (POLICY, {"toolset": "ops_pipelines.testing.refund_agent:tols"}, "has no function 'tols'"),
    ],
)
def test_parts_that_do_not_fit_are_refused_with_what_is_wrong(desk, policy, settings, why):
    desk.policy(policy)
    made = make_candidate(desk.agent(**settings), desk.platform, run_id="r")
    assert isinstance(made.verdict, Blocked)
    assert why in reasons(made.verdict)


def test_a_tool_that_is_called_a_read_by_now_is_a_loosening(desk):
    desk.walked()
    desk.ran(granted=False)
    live = desk.platform.release("refunds", desk.live()).manifest
    harmless = live_with_tools(desk.platform, live, "money", "read")
    made = make_backtest(desk.agent(), candidate_is(desk.platform, harmless))
    assert "of refund would be allowed" in reasons(made.findings[LOOSENED])


def test_code_that_would_run_a_recorded_run_otherwise_is_seen_with_its_step_and_cause(desk):
    desk.walked()
    keep_run(desk.platform, desk.ran().run)
    found = desk.walked(upto="replays", settings={"words": "Returned"})["replays"].findings[AS_RECORDED]
    assert "tool 'note' #0 is asked for something else (cause: code)" in reasons(found)


def test_where_the_settings_say_so_an_altered_run_keeps_the_gate_shut(desk):
    desk.walked()
    first = desk.live()
    desk.ran()
    made = desk.walked(settings={"words": "Returned"}, replays={"days": 1, "altered": "block"})
    assert ("would run otherwise" in reasons(made["comparison"].verdict), desk.live()) == (True, first)


def test_a_recorded_run_is_replayed_on_a_clean_clone_that_has_only_the_files(desk, monkeypatch, tmp_path_factory):
    desk.walked()
    keep_run(desk.platform, desk.ran().run)
    monkeypatch.setenv("OPS_HOME", str(tmp_path_factory.mktemp("elsewhere")))
    find_project.cache_clear()
    clone = replace(desk, platform=Platform.embedded(find_project(desk.root)))
    made = clone.walked(upto="replays", replays={"least": 1})["replays"]
    (row,) = made.table.to_pylist()
    assert isinstance(made.findings[AS_RECORDED], Passed)
    assert (row["same"], clone.platform.objects.has(row["recorded"])) == (True, True)


def test_too_few_recorded_runs_are_not_evaluated_and_keep_the_gate_shut(desk):
    assert "0 recorded runs are fewer than 1" in reasons(desk.walked(replays={"least": 1})["comparison"].verdict)


def test_a_file_that_is_no_recorded_run_is_not_evaluated(desk):
    folder = runs_folder(desk.platform.project, "refunds")
    folder.mkdir(parents=True)
    (folder / "r.json").write_text("{}")
    with pytest.raises(DataError, match=r"r\.json"):
        recorded_set(desk.agent(), desk.platform)
    desk.walked(upto="candidate")
    assert isinstance(make_replays(desk.agent(), desk.platform).verdict, NotEvaluated)


def test_a_folder_of_recorded_runs_that_is_not_there_is_not_evaluated(desk):
    desk.walked(upto="candidate")
    made = make_replays(desk.agent(replays={"runs": "evals/rnus"}), desk.platform)
    assert (type(made.verdict), "do not lie in evals/rnus" in reasons(made.verdict)) == (NotEvaluated, True)


def test_a_run_that_waits_is_not_kept_and_nothing_is_held_against_it(desk):
    desk.walked()
    ran = desk.ran(granted=None)
    with pytest.raises(NotAllowed, match="is waiting"):
        keep_run(desk.platform, ran.run)
    assert recorded_set(desk.agent(replays={"days": 1}), desk.platform) == ()


def test_its_yaml_is_wholly_read_into_its_budgets(desk):
    said = {"breaker": {"steps": 9, "wall_seconds": 60, "polls": ["look"]}, "limits": {"approval_seconds": 5}}
    budgets = desk.agent(budgets={"limit_usd": "0.25", "prices": {"note": 0.1}, **said}).budgets.budgets().to_json()
    assert (budgets["limit_usd"], budgets["prices"]) == ("0.25", {"note": "0.1"})
    assert (budgets["breaker"]["steps"], budgets["limits"]["approval_seconds"]) == (9, 5)


def live_with_tools(platform: Platform, manifest, was: str, now: str):
    tools = platform.objects.get(manifest.behaviour["tools"]).replace(was.encode(), now.encode())
    return replace(manifest, behaviour={**manifest.behaviour, "tools": platform.objects.put(tools)})


def candidate_is(platform: Platform, manifest) -> Platform:
    """The platform where another manifest is the candidate that was accepted last."""
    from ops_pipelines.core.fingerprint import canonical_json

    platform.objects.put(canonical_json(manifest.to_json()))
    made = platform.lake.good("refunds/candidate")
    table = platform.lake.read("refunds/candidate", "-")
    facts = {**made.facts, "release": manifest.digest}
    platform.lake.publish(table, replace(made, facts=facts, verdict=Passed()))
    return platform
