import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.llmops.budget import BudgetSpent
from ops_pipelines.llmops.chat_model import TIMEOUT, ChatError
from ops_pipelines.llmops.evals.case import ANSWERABLE, Case
from ops_pipelines.llmops.evals.result import EvalRun
from ops_pipelines.llmops.evals.run import run_evaluation
from ops_pipelines.llmops.evals.scorer import Judged, Rule, Score
from ops_pipelines.testing.answerer import ScriptedAnswerer
from ops_pipelines.testing.eval_cache import MemoryEvalCache

CASES = [Case(f"c{number}", f"Question {number}?", ANSWERABLE, says=("known",), cites=("a.md",)) for number in range(8)]
SAYS = Rule("says", "1", lambda judged: Score(float("yes" in judged.answer.text), "it says something else"))
TIMED_OUT = ChatError("Nobody answered", expected="an answer", action="Ask again", kind=TIMEOUT)
SPENT = BudgetSpent("The budget 'day' is spent", expected="something left", action="Wait")


@dataclass
class Asker:
    """A scorer that asks somebody, and says what its script has."""

    says: Sequence[Score | Exception]
    name: str = "judge"
    version: str = "1"
    asked: list[str] = field(default_factory=list)

    async def score(self, judged: Judged) -> Score:
        self.asked.append(judged.case.id)
        said = self.says[min(len(self.asked), len(self.says)) - 1]
        if isinstance(said, Exception):
            raise said
        return said


def run(answerer, cases=CASES, scorers=(SAYS,), cache=None, **settings):
    return asyncio.run(run_evaluation(answerer, cases, scorers, cache=cache or MemoryEvalCache(), **settings))


def test_every_case_is_answered_and_scored_in_the_order_of_the_cases():
    found = run(ScriptedAnswerer({"Question 3?": "It says yes."}))
    assert [one.case for one in found.scored] == [case.id for case in CASES]
    assert found.values("says") == {f"c{number}": (float(number == 3),) for number in range(8)}
    assert (found.asked, found.cached, found.stopped, found.errors) == (8, 0, "", ())


def test_an_unchanged_re_run_asks_nothing_and_comes_to_the_same():
    cache, answerer = MemoryEvalCache(), ScriptedAnswerer()
    first, again = run(answerer, cache=cache), run(answerer, cache=cache)
    assert (len(answerer.asked), again.asked, again.cached) == (8, 0, 8)
    assert again.digest == first.digest


@pytest.mark.parametrize("change", [{"says": ("else",)}, {"question": "New?"}, {"never": ("x",)}, {"cluster": "other"}])
def test_editing_one_case_asks_exactly_one(change):
    cache, answerer = MemoryEvalCache(), ScriptedAnswerer()
    run(answerer, cache=cache)
    edited = [*CASES[:-1], replace(CASES[-1], **change)]
    assert run(answerer, edited, cache=cache).asked == 1
    assert len(answerer.asked) == 9


def test_another_version_of_a_scorer_scores_again_and_asks_nothing():
    cache, answerer = MemoryEvalCache(), ScriptedAnswerer()
    run(answerer, cache=cache)
    half = Rule("says", "2", lambda judged: Score(0.5, "half"))
    assert run(answerer, scorers=[half], cache=cache).values("says")["c0"] == (0.5,)
    assert len(answerer.asked) == 8


def test_a_score_that_is_kept_is_not_made_again():
    cache, made = MemoryEvalCache(), []
    counting = Rule("count", "1", lambda judged: made.append(judged) or Score(1.0))
    nothing = Rule("nothing", "1", made.append)
    for _ in range(2):
        run(ScriptedAnswerer(), scorers=[counting, nothing], cache=cache)
    assert len(made) == 16


def test_each_repeat_is_an_answer_of_its_own():
    answerer = ScriptedAnswerer({"Question 0?": ["yes", "no"]})
    cache = MemoryEvalCache()
    assert run(answerer, CASES[:1], cache=cache, repeats=2).values("says") == {"c0": (1.0, 0.0)}
    assert run(answerer, CASES[:1], cache=cache, repeats=3).asked == 1


def test_a_case_that_fails_has_its_error_and_the_others_go_on():
    found = run(ScriptedAnswerer({"Question 2?": TIMED_OUT}, broken={"Question 5?": ValueError("odd")}))
    assert {one.case: one.error.partition(".")[0] for one in found.errors} == {
        "c2": "Nobody answered",
        "c5": "ValueError: odd",
    }
    assert [one.scores for one in found.errors] == [{"says": None}] * 2
    assert (len(found.means("says")), found.values("says")["c2"]) == (6, (None,))


@given(some.lists(some.sets(some.integers(0, 7)), min_size=1, max_size=4), some.integers(1, 9))
def test_whatever_fails_and_whenever_each_case_is_answered_once_and_nothing_is_asked_twice(failing, concurrency):
    said = [[TIMED_OUT if case in fails else "yes" for fails in failing] + ["yes"] for case in range(8)]
    answerer = ScriptedAnswerer({f"Question {case}?": answers for case, answers in enumerate(said)})
    cache = MemoryEvalCache()
    for _ in range(len(failing) + 1):
        found = run(answerer, cache=cache, concurrency=concurrency)
    assert (found.errors, set(found.means("says").values())) == ((), {1.0})
    assert len(answerer.asked) == sum(answers.index("yes") + 1 for answers in said)


def test_what_failed_is_asked_again_by_the_next_run_and_only_that():
    cache, answerer = MemoryEvalCache(), ScriptedAnswerer({"Question 2?": [TIMED_OUT, "known"]})
    assert len(run(answerer, cache=cache).errors) == 1
    again = run(answerer, cache=cache)
    assert (again.asked, again.cached, again.errors) == (1, 7, ())


def test_a_spent_budget_ends_the_asking_and_the_run_says_so():
    cache, answerer = MemoryEvalCache(), ScriptedAnswerer({"Question 3?": SPENT})
    found = run(answerer, cache=cache, concurrency=1)
    assert "The budget 'day' is spent" in found.stopped
    assert (found.asked, len(found.errors), answerer.asked[-1]) == (3, 5, "Question 3?")
    assert all(one.error.startswith("not asked") for one in found.errors)


def test_what_is_in_the_cache_still_counts_when_a_budget_is_spent():
    cache, answerer = MemoryEvalCache(), ScriptedAnswerer({"Question 0?": SPENT})
    run(answerer, CASES[1:], cache=cache)
    found = run(answerer, cache=cache, concurrency=1)
    assert (len(found.errors), found.cached) == (1, 7)


def test_as_many_are_asked_at_once_as_may_be_and_no_more():
    answerer = ScriptedAnswerer(seconds=0.01)
    run(answerer, concurrency=3)
    assert answerer.most_at_once == 3


def test_a_question_that_a_guardrail_refuses_asks_no_model():
    answerer = ScriptedAnswerer(refused=["Question 0?"])
    found = run(answerer)
    assert (found.asked, len(answerer.asked), found.scored[0].answer.refused_by) == (7, 7, ("a rule of the script",))


def test_a_scorer_that_asks_nothing_of_a_case_is_not_counted_for_it():
    odd = Rule("odd", "1", lambda judged: Score(1.0) if judged.case.id == "c1" else None)
    found = run(ScriptedAnswerer(), scorers=[odd])
    assert [one.case for one in found.scored if "odd" in one.scores] == ["c1"]


def test_a_scorer_that_fails_could_not_tell_and_is_no_pass():
    found = run(ScriptedAnswerer(), CASES[:1], [Rule("bad", "1", lambda judged: 1 / 0)])
    assert (found.scored[0].scores, found.scored[0].error) == ({"bad": None}, "")
    assert found.scored[0].why["bad"] == "the scorer failed: ZeroDivisionError: division by zero"


def test_a_judge_that_failed_is_asked_again_and_one_that_answered_is_not():
    cache, judge = MemoryEvalCache(), Asker([ValueError("odd"), Score(1.0)])
    first = run(ScriptedAnswerer(), CASES[:2], [judge], cache=cache, concurrency=1)
    assert [one.scores["judge"] for one in first.scored] == [None, 1.0]
    again = run(ScriptedAnswerer(), CASES[:2], [judge], cache=cache)
    assert [one.scores["judge"] for one in again.scored] == [1.0, 1.0]
    assert judge.asked == ["c0", "c1", "c0"]


def test_progress_is_told_up_to_the_last_case():
    told = []
    run(ScriptedAnswerer(), progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (8, 8)
    assert told == sorted(told)


@dataclass
class AllAtOnce(ScriptedAnswerer):
    """Answers no question before all eight were asked."""

    all_asked: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(8))

    async def answer(self, prepared):
        await self.all_asked.wait()
        return await super().answer(prepared)


def test_answers_that_came_together_are_kept_in_one_write():
    cache = MemoryEvalCache()
    run(AllAtOnce(), cache=cache, concurrency=8)
    assert cache.puts <= 6


def test_what_had_come_is_kept_when_the_run_is_given_up():
    cache = MemoryEvalCache()

    async def give_up() -> None:
        answerer = ScriptedAnswerer(seconds=0.001)
        slow = asyncio.create_task(run_evaluation(answerer, CASES, [SAYS], cache=cache, concurrency=1))
        while len(answerer.asked) < 4:
            await asyncio.sleep(0)
        slow.cancel()
        await slow

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(give_up())
    assert run(ScriptedAnswerer(), cache=cache).cached >= 3


def test_an_answer_is_kept_before_its_judge_has_answered():
    cache, asked = MemoryEvalCache(), asyncio.Event()

    class Waits(Asker):
        async def score(self, judged):
            asked.set()
            await asyncio.sleep(60)

    async def give_up() -> None:
        slow = asyncio.create_task(run_evaluation(ScriptedAnswerer(), CASES[:1], [Waits([])], cache=cache))
        await asked.wait()
        while not cache.records:
            await asyncio.sleep(0.001)
        slow.cancel()
        await slow

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(give_up())
    assert run(ScriptedAnswerer(), CASES[:1], cache=cache).cached == 1


def test_a_cache_that_cannot_be_used_ends_the_run_with_its_own_error():
    class Broken(MemoryEvalCache):
        def put_many(self, records):
            raise DataError("The cache is full", expected="room", action="Make some")

    with pytest.raises(DataError, match="The cache is full"):
        run(ScriptedAnswerer(), cache=Broken())


def test_no_case_is_a_run_of_nothing():
    assert run(ScriptedAnswerer(), []).scored == ()


def test_an_id_that_occurs_twice_is_refused_before_anything_is_asked():
    answerer = ScriptedAnswerer()
    with pytest.raises(DataError, match="'c0' occurs twice"):
        run(answerer, [CASES[0], CASES[0]])
    assert answerer.asked == []


@pytest.mark.parametrize("settings", [{"repeats": 0}, {"concurrency": 0}, {"scorers": (SAYS, SAYS)}])
def test_an_evaluation_that_cannot_run_is_wrong_usage(settings):
    with pytest.raises(ConfigError, match="cannot run"):
        run(ScriptedAnswerer(), **settings)


def test_a_run_is_kept_as_json_and_read_back_the_same():
    found = run(ScriptedAnswerer({"Question 2?": TIMED_OUT}))
    assert EvalRun.from_json(found.to_json()) == found
