"""Evaluations of a provider that answers over real HTTP, and counts what it is asked."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from ops_pipelines.adapters.openai_chat import Endpoint, OpenAIChat
from ops_pipelines.adapters.sqlite_evals import SQLiteEvals
from ops_pipelines.llmops.evals.case import ANSWERABLE, Case
from ops_pipelines.llmops.evals.judge import LLMJudge
from ops_pipelines.llmops.evals.run import run_evaluation
from ops_pipelines.llmops.evals.supported import REFUSAL
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.testing.answerer import ChatAnswerer
from ops_pipelines.testing.provider import Provider, provider_running
from ops_pipelines.testing.provider_script import CUT, Fault, ProviderScript, Reply, Stage

DESK = ProviderPin("openai", "desk-1")
CASES = [Case(f"c{number}", f"What is number {number}?", ANSWERABLE) for number in range(40)]
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from ops_pipelines.adapters.openai_chat import Endpoint, OpenAIChat
from ops_pipelines.adapters.sqlite_evals import SQLiteEvals
from ops_pipelines.llmops.evals.case import ANSWERABLE, Case
from ops_pipelines.llmops.evals.run import run_evaluation
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.testing.answerer import ChatAnswerer

chat = OpenAIChat(ProviderPin("openai", "desk-1"), Endpoint(sys.argv[2]))
cases = [Case(f"c{number}", f"What is number {number}?", ANSWERABLE) for number in range(40)]

def die_at_fifteen(done, total):
    if done >= 15:
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(run_evaluation(
    ChatAnswerer(chat, "desk-1"), cases, [], cache=SQLiteEvals(Path(sys.argv[1])), concurrency=4, progress=die_at_fifteen
))
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with provider_running() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.begin(ProviderScript())
    return running


@pytest.fixture
def cache(tmp_path) -> SQLiteEvals:
    return SQLiteEvals(tmp_path / "log" / "evals.db")


def run(provider, cache, cases=CASES, scorers=(REFUSAL,), **settings):
    answerer = ChatAnswerer(OpenAIChat(DESK, Endpoint(provider.base_url)), "desk-1")
    return asyncio.run(run_evaluation(answerer, cases, scorers, cache=cache, **settings))


def test_an_unchanged_re_run_makes_no_request_and_an_edited_case_makes_one(provider, cache):
    run(provider, cache)
    assert provider.count() == 40
    run(provider, cache)
    assert provider.count() == 40
    run(provider, cache, [*CASES[:-1], replace(CASES[-1], says=("forty",))])
    assert provider.count() == 41


def test_so_many_requests_are_under_way_at_once_and_no_more(provider, cache):
    provider.begin(ProviderScript((Stage(latency_ms=20),)))
    run(provider, cache, concurrency=5)
    assert provider.most_at_once() == 5


def test_after_a_kill_only_what_was_under_way_is_asked_again(provider, cache):
    provider.begin(ProviderScript((Stage(latency_ms=5),)))
    words = [sys.executable, "-c", KILLED, str(cache.path), provider.base_url]
    assert subprocess.run(words, check=False).returncode == -9
    before = provider.count()
    again = run(provider, cache)
    assert (again.cached >= 15, provider.count() - before) == (True, 40 - again.cached)
    assert before - again.cached <= 2 * 4


def test_a_stream_that_is_cut_is_an_error_of_its_case_alone(provider, cache):
    provider.begin(ProviderScript(faults=(Fault(CUT, contains="number 7?"),)))
    assert [one.case for one in run(provider, cache, CASES[:10]).errors] == ["c7"]


def test_a_judge_that_says_no_json_could_not_tell_and_is_no_pass(provider, cache):
    replies = (
        Reply(contains='"question": "What is number 1?"', text='{"reason": "so", "score": 1}'),
        Reply(contains="You judge an answer", text="I would say it is fine."),
    )
    provider.begin(ProviderScript((Stage(replies=replies),)))
    judge = LLMJudge(OpenAIChat(DESK, Endpoint(provider.base_url)), DESK)
    found = run(provider, cache, CASES[:2], [judge])
    assert [one.scores["judge"] for one in found.scored] == [None, 1.0]
