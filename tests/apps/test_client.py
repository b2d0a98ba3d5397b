"""The door for applications, over a small project whose release was made by its assets."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ops_pipelines.adapters.lineage_sources import rooms_of
from ops_pipelines.adapters.project import find_project
from ops_pipelines.apps.client import AnswerDoor
from ops_pipelines.core.clock import Window
from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.release import Manifest
from ops_pipelines.core.walk import explain
from ops_pipelines.llmops.answer_log import day_of_answer
from ops_pipelines.llmops.budget import BudgetSpent
from ops_pipelines.llmops.chat_model import ChatError
from ops_pipelines.testing.provider import provider_running
from ops_pipelines.testing.provider_script import STATUS, Fault, ProviderScript, Stage
from ops_pipelines.testing.release_store import evidence_against

from ..components.answers_project import Desk, failed_checks

NO_COMMANDS = """\
refusal: I may not say.
rules:
  - {name: no commands, where: output, check: forbidden, action: block, settings: {terms: [ops rollback]}}
"""
QUESTION = "How is a release rolled back?"
EVER = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
BY_SCRIPT = {"prices": {"openai/desk-4": {"input_usd": 1, "output_usd": 1}}, "cost": {"most_times": None}}

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")  # a check of one partition is in preview


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Iterator[Desk]:
    for name in ("OPS_HOME", "OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield Desk.at(tmp_path)
    find_project.cache_clear()


def asked(desk: Desk, question: str = QUESTION, **more):
    return asyncio.run(AnswerDoor(desk.platform).answer("desk", question, **more))


def test_an_answer_comes_from_what_is_live_and_is_explained_down_to_its_document(desk):
    desk.made()
    found = asked(desk, tenant="acme", feature="help")
    assert "ops rollback" in found.text
    walked = explain(found.id, rooms_of(desk.platform))
    kinds = {node.kind for _, node in walked.nodes}
    assert {"answer", "release", "chunk", "document", "call", "artefact", "part"} <= kinds
    assert walked.missing == ()


def test_every_question_is_written_down_with_its_caller_before_it_returns(desk):
    desk.made()
    found = asked(desk, tenant="acme", feature="help")
    (kept,) = desk.platform.answers.answers(EVER, "desk")
    assert (kept.id, kept.caller.tenant, kept.caller.feature, kept.outcome) == (found.id, "acme", "help", "answered")
    assert desk.platform.calls.find(found.calls[0]).caller == kept.caller


def test_an_answer_is_named_by_the_day_of_its_question_and_what_was_withheld_stays_in_the_log(desk):
    (desk.root / "guards.yaml").write_text(NO_COMMANDS)
    desk.made(guardrails="guards.yaml", gate={"least": {"refusal": 0.1}, "compared": []})
    found = asked(desk)
    (kept,) = desk.platform.answers.answers(EVER, "desk")
    assert (found.text, found.said, found.passages) == ("I may not say.", "", ())
    assert ("ops rollback" in kept.answer.said, kept.outcome) == (True, "stopped")
    assert day_of_answer(found.id) == ("desk", f"{kept.asked_at:%Y-%m-%d}")


def test_a_named_release_answers_beside_the_live_one_and_a_rollback_holds_from_the_next_question_on(desk):
    desk.made()
    first = desk.live()
    desk.write("rollback", "A release is rolled back by the desk, by `ops undo`.")
    desk.golden({"id": "one", "kind": "unanswerable", "question": "Which dish is served?", "refuses": True})
    assert desk.made(gate={"least": {"refusal": 1.0}, "compared": []}).success
    door = AnswerDoor(desk.platform)
    texts = [asyncio.run(door.answer("desk", QUESTION, release=release)).text for release in (None, first[:12])]
    assert ["ops undo" in text for text in texts] == [True, False]
    desk.platform.roll_back("desk", None, actor="ann", reason="wrong command")
    assert "ops rollback" in asyncio.run(door.answer("desk", QUESTION)).text


def test_nothing_live_and_a_system_that_nobody_knows_are_errors_with_the_next_command(desk):
    with pytest.raises(ReleaseError, match="ops promote desk"):
        asked(desk)
    desk.made()
    with pytest.raises(ReleaseError, match="Did you mean 'desk'"):
        asyncio.run(AnswerDoor(desk.platform).answer("dsek", QUESTION))


def test_a_provider_over_http_answers_with_one_variable_more_and_one_that_fails_is_written_down(desk, monkeypatch):
    script = ProviderScript(stages=(Stage(answers_as="desk-4"),))
    with provider_running(script) as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
        monkeypatch.setenv("OPENAI_MODEL", "desk-4")
        assert failed_checks(desk.made(**BY_SCRIPT)) == {}
        found = asked(desk)
        assert (found.provider, found.model, "ops rollback" in found.text) == ("openai", "desk-4", True)
        provider.begin(ProviderScript(faults=(Fault(STATUS, status=400, times=9),)))
        with pytest.raises(ChatError):
            asked(desk)
    kept = list(desk.platform.answers.answers(EVER, "desk"))
    assert [one.outcome for one in kept] == ["answered", "invalid"]
    assert len(kept[-1].calls) == 1


def test_one_variable_is_enough_where_the_server_has_one_model(desk, monkeypatch):
    with provider_running(ProviderScript()) as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
        assert (
            failed_checks(
                desk.made(prices={"openai/any": {"input_usd": 1, "output_usd": 1}}, cost={"most_times": None})
            )
            == {}
        )
        assert asked(desk).provider == "openai"


def test_where_the_provider_fails_the_fallback_of_the_release_answers(desk, monkeypatch):
    with provider_running(ProviderScript(stages=(Stage(answers_as="desk-4"),))) as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
        monkeypatch.setenv("OPENAI_MODEL", "desk-4")
        assert desk.made(**BY_SCRIPT, fallback=["extractive/extractive-1"]).success
        provider.begin(ProviderScript(faults=(Fault(STATUS, status=500, times=99),)))
        found = asked(desk)
    assert (found.provider, "ops rollback" in found.text) == ("extractive", True)
    assert len(found.calls) > 1


def test_a_provider_that_serves_a_release_of_ours_is_pinned_to_it_and_refused_once_it_serves_another(desk, monkeypatch):
    house = Manifest("house_model", {"weights": desk.platform.objects.put(b"weights")})
    desk.platform.releases.save(house, evidence_against(None))
    desk.platform.promote("house_model", house.digest, actor="ann", reason="it is tuned")
    serves = Stage(answers_as="desk-4", fingerprint=house.digest)
    with provider_running(ProviderScript(stages=(serves,))) as provider:
        monkeypatch.setenv("OPENAI_BASE_URL", provider.base_url)
        monkeypatch.setenv("OPENAI_MODEL", "desk-4")
        assert failed_checks(desk.made(**BY_SCRIPT, provider={"uses": "house_model"})) == {}
        assert desk.platform.release("desk", desk.live()).manifest.uses == {"house_model": house.digest}
        assert asked(desk).fingerprint == house.digest
        provider.begin(ProviderScript(stages=(Stage(answers_as="desk-4", fingerprint="another"),)))
        with pytest.raises(ChatError, match="another"):
            asked(desk)


def test_fifty_callers_at_once_never_take_a_tenant_more_than_one_request_past_its_budget(desk):
    desk.made(budgets=[{"name": "tenants", "limit_usd": "0.00002", "per": ["tenant"]}])
    door, answered, refused = AnswerDoor(desk.platform), [], []

    def ask() -> None:
        try:
            answered.append(asyncio.run(door.answer("desk", QUESTION, tenant="acme")))
        except BudgetSpent as error:
            refused.append(error)

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = sum((one.usd for one in answered), Decimal(0))
    assert (len(answered) + len(refused), bool(answered), bool(refused)) == (50, True, True)
    assert spent <= Decimal("0.00002") + max(one.usd for one in answered)
    assert asyncio.run(door.answer("desk", QUESTION, tenant="other")).text
