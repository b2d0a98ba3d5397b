"""A prompt that answers, from its texts to its release, through its assets."""

from collections.abc import Iterator

import pytest

from ops_pipelines.adapters.answerers import recipe_of
from ops_pipelines.adapters.lineage_sources import rooms_of
from ops_pipelines.adapters.project import find_project
from ops_pipelines.components.answers_probe import probes_of
from ops_pipelines.core.release import find_release
from ops_pipelines.core.verdict import Blocked, reasons_of
from ops_pipelines.core.walk import explain
from ops_pipelines.llmops.evals.case import Case
from ops_pipelines.llmops.mixture import changed_sources
from ops_pipelines.testing.provider import provider_running
from ops_pipelines.testing.provider_script import ProviderScript, Reply, Stage

from .answers_project import CASES, PROMPT, Desk, failed_checks

LONG = PROMPT.replace("Answer in one", "Be careful, and be precise, and be kind. " * 60 + "Answer in one")

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")  # a check of one partition is in preview


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Iterator[Desk]:
    for name in ("OPS_HOME", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield Desk.at(tmp_path)
    find_project.cache_clear()


def test_it_is_put_together_evaluated_gated_and_live_and_all_of_it_can_be_found(desk):
    assert desk.made().success
    release = desk.platform.release("desk", desk.live())
    assert {"prompt", "provider", "corpus", "embedding_pin", "retrieval"} <= release.manifest.behaviour.keys()
    assert explain(release.digest, rooms_of(desk.platform)).missing == ()


def test_made_again_of_the_same_it_is_the_same_release_and_nobody_is_asked(desk):
    desk.made()
    first = desk.live()
    assert desk.made().success
    assert (desk.live(), desk.platform.lake.good("desk/evaluation").facts["asked"]) == (first, 0)


def test_one_edited_case_is_one_call(desk):
    desk.made()
    desk.golden({**CASES[0], "question": "How does one roll a release back?"}, *CASES[1:])
    desk.made()
    assert desk.platform.lake.good("desk/evaluation").facts["asked"] == 1


def test_a_prompt_whose_cost_multiplies_is_refused_with_its_cases_before_anybody_is_asked(desk):
    desk.made()
    first, calls = desk.live(), len(list_calls(desk))
    desk.prompt(LONG)
    failed = failed_checks(desk.made())
    assert "as much as before" in failed["is_sound"]
    assert (desk.live(), len(list_calls(desk))) == (first, calls)
    refused = desk.platform.releases.releases("desk")[-1]
    assert isinstance(refused.latest.verdict, Blocked)
    assert "rollback" in "; ".join(reasons_of(refused.latest.verdict))


def test_more_passages_are_a_cost_of_the_change_though_the_prompt_is_the_same(desk):
    desk.made(k=1)
    assert "as much as before" in failed_checks(desk.made(k=4, cost={"most_times": 1.1}))["is_sound"]


def test_every_score_of_an_evaluation_is_a_column_though_the_first_case_has_none_of_it(desk):
    desk.made()
    columns = desk.platform.lake.read("desk/evaluation", "-").column_names
    assert {"says", "never", "groundedness", "retrieval_recall"} <= set(columns)


def test_a_golden_set_that_grows_by_a_case_changes_one_probe_at_most(desk):
    cases = [Case(f"c{number}", "Why?", "answerable") for number in range(50)]
    before, after = (probes_of(some, 12) for some in (cases[:-1], cases))
    assert len(set(before) - set(after)) <= 1


def test_one_that_answers_worse_than_what_is_live_is_refused_by_its_cases(desk):
    desk.made()
    first = desk.live()
    desk.prompt(PROMPT.replace("Answer in one sentence", "Answer in at most 1 words"))
    result = desk.made(gate={"compared": ["says"], "margin": 0.3, "confidence": 0.6})
    assert "gate" in failed_checks(result)
    assert desk.live() == first


def test_what_is_not_complete_is_never_compared(desk):
    desk.made("notes/snapshot", "desk/prompt", "desk/candidate")
    desk.golden({"id": "one", "kind": "answerable", "question": "Why?", "says": ["so"], "cites": ["a.md"]})
    failed = failed_checks(desk.made("desk/evaluation", "desk/comparison", gate={"least": {"never": 1.0}}))
    assert failed == {"is_complete": "not evaluated: never was not scored"}


def test_what_was_evaluated_on_other_cases_is_never_compared(desk):
    desk.made("notes/snapshot", "desk/prompt", "desk/candidate", "desk/evaluation")
    desk.golden(*CASES[:-1])
    failed = failed_checks(desk.made("desk/comparison"))
    assert "was not evaluated as it is, on these cases" in failed["gate"]


def test_a_candidate_without_a_snapshot_is_not_evaluated(desk):
    failed = failed_checks(desk.made("desk/prompt", "desk/candidate"))
    assert failed == {"is_sound": "not evaluated: notes/snapshot@- was never accepted"}


def test_a_deleted_document_is_another_release_by_its_corpus_alone_and_the_old_one_comes_back_with_it(desk):
    desk.made()
    first = desk.live()
    desk.write("keys", "The archive was closed.")
    assert (
        desk.made(gate={"least": {"refusal": 0.5}, "compared": ["never"]}).success is False
    )  # `never` is asked by no case
    assert desk.made(gate={"least": {"refusal": 0.1}, "compared": []}).success
    old, new = (
        recipe_of(desk.platform, find_release(desk.platform.releases, "desk", one)) for one in (first, desk.live())
    )
    assert changed_sources(old, new) == ("corpus",)
    desk.platform.roll_back("desk", None, actor="ann", reason="the archive is open again")
    assert desk.live() == first


def test_what_a_person_took_back_stays_back(desk):
    desk.made()
    first = desk.live()
    desk.write("keys", "The archive was closed.")
    desk.made(gate={"least": {"refusal": 0.1}, "compared": []})
    desk.platform.roll_back("desk", None, actor="ann", reason="complaints")
    assert not desk.made("desk/release").success
    assert desk.live() == first


def test_a_judge_scores_beside_the_rules_and_is_paid_as_one_whatever_it_says(desk, monkeypatch):
    judged = Reply("You judge an answer", '{"reason": "it says all", "score": 1}')
    with provider_running(ProviderScript(stages=(Stage(replies=(judged,)),))) as provider:
        monkeypatch.setenv("JUDGES_BASE_URL", provider.base_url)
        prices = {"judges/strict": {"input_usd": 1, "output_usd": 1}}
        assert failed_checks(desk.made(judge={"asked": "judges/strict"}, prices=prices)) == {}
        assert (provider.count(), desk.platform.lake.good("desk/evaluation").facts["scores"]["judge"]) == (5, 1.0)
        assert sum(call.caller.feature == "judge" for call in list_calls(desk)) == 5
        desk.made("desk/evaluation", judge={"asked": "judges/strict"}, prices=prices)
        assert provider.count() == 5
        provider.begin(ProviderScript(stages=(Stage(replies=(Reply("You judge", "splendid"),)),)))
        desk.made("desk/evaluation", judge={"asked": "judges/strict", "rubric": "Be strict."}, prices=prices)
    scores = desk.platform.lake.good("desk/evaluation").facts["scores"]
    assert (scores["judge"], scores["says"]) == (None, 1.0)


def list_calls(desk: Desk) -> list:
    from datetime import UTC, datetime

    from ops_pipelines.core.clock import Window

    return list(desk.platform.calls.calls(Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))))
