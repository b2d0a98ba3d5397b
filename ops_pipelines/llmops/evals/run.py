"""An evaluation: every case answered and scored, several at once, and nothing asked twice.

One thread looks cases up ahead of those that ask: it prepares them (retrieval may be slow) and reads the cache. As many
workers as `concurrency` ask. A second thread keeps what came, all that has come since it last did in one write, and then
scores it. So a model's answer waits for no disk and no scorer. While as many answers as `concurrency` wait to be kept no
further case is asked: a run that is killed loses twice as many at most, and the next one goes on from there.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.llmops.answering import Answerer
from ops_pipelines.llmops.budget import BudgetSpent
from ops_pipelines.llmops.evals.asking import (
    Asking,
    failed,
    keep_answers,
    keep_scores,
    look_up,
    said_by,
    score_by_rules,
)
from ops_pipelines.llmops.evals.cache import EvalCache
from ops_pipelines.llmops.evals.case import Case, digest_of_cases
from ops_pipelines.llmops.evals.result import EvalRun, Scored
from ops_pipelines.llmops.evals.scorer import Rule, Scorer

__all__ = ["EvalRun", "Scored", "run_evaluation"]
_AHEAD = 32
"""How many cases are looked up at once."""


async def run_evaluation(
    answerer: Answerer,
    cases: Sequence[Case],
    scorers: Sequence[Scorer],
    *,
    cache: EvalCache,
    concurrency: int = 8,
    repeats: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> EvalRun:
    """Every case with its scores, in the order of the cases and their repeats.

    A case that fails has its error, and the others go on; once a budget is spent, no further case is asked, and those
    that are in the cache still count. `prepare` is called in one other thread. DataError for an id that occurs twice,
    ConfigError for a scorer that does, and for less than one repeat or one at a time.
    """
    _check(cases, scorers, concurrency, repeats)
    asking = [Asking(case, repeat) for case in cases for repeat in range(repeats)]
    going = _Going(answerer, scorers, cache, asking, concurrency, progress)
    with ThreadPoolExecutor(2, "evaluation") as threads:
        await going.through(threads)
    return EvalRun(
        answerer=answerer.id,
        cases=digest_of_cases(cases),
        scored=tuple(one.scored(going.names) for one in going.all),
        asked=going.asked,
        cached=sum(one.is_cached for one in going.all),
        scorers={scorer.name: scorer.version for scorer in scorers},
        stopped=going.stopped,
    )


@dataclass(slots=True)
class _Going:
    """A run that is under way."""

    answerer: Answerer
    scorers: Sequence[Scorer]
    cache: EvalCache
    all: list[Asking]
    concurrency: int
    progress: Callable[[int, int], None]
    asked: int = 0
    stopped: str = ""
    unkept: list[Asking] = field(default_factory=list)
    unscored: list[Asking] = field(default_factory=list)
    has_come: asyncio.Event = field(default_factory=asyncio.Event)
    has_kept: asyncio.Event = field(default_factory=asyncio.Event)
    all_asked: bool = False

    @property
    def names(self) -> list[str]:
        return [scorer.name for scorer in self.scorers]

    async def through(self, threads: ThreadPoolExecutor) -> None:
        """Looks up, asks and keeps at once, until all is kept; what had come is kept even where this is given up."""
        ready: asyncio.Queue[Asking | None] = asyncio.Queue(self.concurrency + _AHEAD)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look_ahead(ready, threads))
                group.create_task(self._keep(threads))
                async with asyncio.TaskGroup() as workers:
                    for _ in range(min(self.concurrency, len(self.all))):
                        workers.create_task(self._work(ready))
                self.all_asked = True
                self.has_come.set()
        except BaseExceptionGroup as errors:
            raise _first(errors) from errors
        finally:
            keep_answers(self.unkept, self.cache)
            keep_scores(self.unscored, self.scorers, self.cache)

    async def _look_ahead(self, ready: "asyncio.Queue[Asking | None]", threads: ThreadPoolExecutor) -> None:
        loop, waiting = asyncio.get_running_loop(), iter(self.all)
        while chunk := list(islice(waiting, _AHEAD)):
            await loop.run_in_executor(threads, look_up, chunk, self.answerer, self.scorers, self.cache)
            for one in chunk:
                await ready.put(one)
        for _ in range(self.concurrency):
            await ready.put(None)

    async def _work(self, ready: "asyncio.Queue[Asking | None]") -> None:
        while one := await ready.get():
            while len(self.unkept) >= self.concurrency:
                self.has_kept.clear()
                await self.has_kept.wait()
            await self._answer(one)
            self.unkept.append(one)
            self.has_come.set()
            await self._ask_scorers(one)
            self.unscored.append(one)
            self.has_come.set()

    async def _ask_scorers(self, one: Asking) -> None:
        """The scores of those that ask somebody themselves."""
        for scorer in self.scorers:
            if one.judged and not isinstance(scorer, Rule) and scorer.name not in one.scores:
                try:
                    one.scores[scorer.name] = await scorer.score(one.judged)
                except Exception as error:  # as of a rule's: it could not tell
                    one.scores[scorer.name] = failed(error)

    async def _answer(self, one: Asking) -> None:
        if one.answer or one.error or one.prepared is None:
            return
        if self.stopped:
            one.error = f"not asked: {self.stopped}"
            return
        self.asked += one.prepared.request is not None
        try:
            one.answer = await self.answerer.answer(one.prepared)
        except BudgetSpent as error:
            self.stopped = self.stopped or said_by(error)
            one.error = f"not asked: {said_by(error)}"
            self.asked -= 1
        except Exception as error:  # one case that fails is a finding of the run, and no end of it
            one.error = said_by(error)

    async def _keep(self, threads: ThreadPoolExecutor) -> None:
        loop, done = asyncio.get_running_loop(), 0
        while not self.all_asked or self.unscored:
            await self.has_come.wait()
            self.has_come.clear()
            answered, judged = list(self.unkept), list(self.unscored)
            await loop.run_in_executor(threads, keep_answers, answered, self.cache)
            del self.unkept[: len(answered)]  # only now: where the run is given up meanwhile, it is kept at the end
            self.has_kept.set()
            await loop.run_in_executor(threads, self._score, judged)
            del self.unscored[: len(judged)]
            done += len(judged)
            self.progress(done, len(self.all))

    def _score(self, judged: Sequence[Asking]) -> None:
        score_by_rules(judged, [scorer for scorer in self.scorers if isinstance(scorer, Rule)])
        keep_scores(judged, self.scorers, self.cache)


def _check(cases: Sequence[Case], scorers: Sequence[Scorer], concurrency: int, repeats: int) -> None:
    twice = [id for id, count in Counter(case.id for case in cases).items() if count > 1]
    if twice:
        raise DataError(
            f"The case {twice[0]!r} occurs twice in one evaluation",
            expected="each id once",
            action="Give one of them another id, or leave it out",
        )
    named = Counter(scorer.name for scorer in scorers)
    if min(concurrency, repeats) < 1 or max(named.values(), default=1) > 1:
        raise ConfigError(
            f"An evaluation cannot run {repeats} time(s), {concurrency} at once, with the scorers {', '.join(named)}",
            expected="at least one repeat, one at a time, and each scorer once",
            action="Change what the evaluation is started with",
        )


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended the run: its groups are this file's own affair."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
