"""The library door for applications: ask a system by its name, and get the answer of the release that is live.

    from ops_pipelines.apps.client import answer

    found = answer("runbook_answers", "How is a promotion taken back?", tenant="ops")
    print(found.text, found.id)

Each call resolves the pointer once, stays with that release, and is guarded, paid and written down before it returns:
`ops why` then explains the answer's id. Nothing here waits for Dagster.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache

from ops_pipelines.adapters.answerers import Noted, Opened, ledger_of, open_recipe, recipe_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.errors import OpsError, ReleaseError, near_miss
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import Release, find_release
from ops_pipelines.llmops.answer_log import Answered, outcome_of, outcome_of_answer
from ops_pipelines.llmops.answering import Answer
from ops_pipelines.llmops.budget import Caller
from ops_pipelines.llmops.recipe import is_recipe

KEPT_OPEN = 8
"""How many releases a door keeps open; the one that was opened first is let go."""


class AnswerDoor:
    """Answers questions by the releases of a platform. Releases are opened once, and kept while they are asked for.

    `alert` is told what a budget says when its alert is reached; `environ` says where providers answer, os.environ without.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        environ: Mapping[str, str] | None = None,
        alert: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.platform, self._environ, self._alert = platform, environ, alert
        self._opened: dict[tuple[str, str], Opened] = {}
        self._lock = threading.Lock()

    async def answer(
        self,
        system: str,
        question: str,
        *,
        tenant: str = "",
        feature: str = "",
        release: str | None = None,
        environment: str = PRODUCTION,
    ) -> Answer:
        """The answer of what is live, or of the release that begins with these digits.

        A guardrail's refusal is an answer, and says why. ReleaseError where nothing is live or the system answers no
        questions; ChatError where no provider answers, BudgetSpent where a budget has too little left: both are written
        down, too.
        """
        asked_at = self.platform.clock.wall()
        opened = await asyncio.to_thread(self._open, system, release, environment)
        caller = Caller(system, opened.id, feature, tenant)
        ledger = ledger_of(self.platform, opened.recipe, budgets=opened.recipe.budgets, alert=self._alert)
        noted = Noted(ledger.log)
        answerer = opened.answerer(system, replace(ledger, log=noted), caller, asked_at)
        try:
            prepared = await asyncio.to_thread(answerer.prepare, question)
            found = await answerer.answer(prepared)
        except BaseException as error:
            # Not awaited: a caller who gives up would give this up, too.
            lost = _unanswered(answerer.new_id(), caller, environment, question, asked_at, error, noted.ids)
            self._keep_lost(lost, error)
            raise
        record = Answered(caller, environment, question, asked_at, outcome_of_answer(found), found, found.calls)
        await asyncio.to_thread(self.platform.answers.keep, [record])
        return _public(found)

    def _keep_lost(self, record: Answered, error: BaseException) -> None:
        """Writes down what got no answer; where that fails, too, the caller still sees the first error."""
        try:
            self.platform.answers.keep([record])
        except OpsError as lost:
            error.add_note(f"It could not be written down either: {lost}")

    def _open(self, system: str, digest: str | None, environment: str) -> Opened:
        """The release that answers, opened; another one is not waited for while it is opened."""
        wanted = digest or self.platform.live(environment, system)
        if found := self._opened.get((system, wanted or "")):
            return found
        release = self._release(system, wanted, environment)
        key = (system, release.digest)
        with self._lock:
            if key not in self._opened:
                recipe = recipe_of(self.platform, release)
                opened = open_recipe(recipe, release.digest, self.platform.corpora, environ=self._environ)
                self._opened[key] = opened
                while len(self._opened) > KEPT_OPEN:
                    del self._opened[next(iter(self._opened))]
            return self._opened[key]

    def _release(self, system: str, wanted: str | None, environment: str) -> Release:
        if wanted is None:
            known = self.platform.releases.systems()
            near = "" if system in known else f"{near_miss(system, known)} "
            raise ReleaseError(
                f"Nothing of {system!r} is live in {environment}",
                expected="a live release of a system that answers questions",
                action=f"{near}`ops promote {system} RELEASE` makes one live",
                system=system,
            )
        release = find_release(self.platform.releases, system, wanted)
        if not is_recipe(release.manifest):
            raise ReleaseError(
                f"{system!r} answers no questions: its release has no prompt",
                expected="a system with a prompt",
                action="Models are asked at `ops serve`",
                system=system,
            )
        return release


def _public(answer: Answer) -> Answer:
    """What a caller may see: of a refusal neither what was withheld nor what it was read from. The log keeps both."""
    return replace(answer, said="", passages=() if answer.refused_by else answer.passages)


def _unanswered(
    id: str,
    caller: Caller,
    environment: str,
    question: str,
    asked_at: datetime,
    error: BaseException,
    calls: tuple[str, ...],
) -> Answered:
    """What is written down of a question whose caller gets an error."""
    said = str(error) or type(error).__name__
    return Answered(caller, environment, question, asked_at, outcome_of(error), Answer(id, ""), calls, said)


def answer(
    system: str,
    question: str,
    *,
    tenant: str = "",
    feature: str = "",
    release: str | None = None,
    environment: str = PRODUCTION,
) -> Answer:
    """The answer of what is live in the project of the working directory; see `AnswerDoor.answer`. For any thread."""
    asked = door().answer(system, question, tenant=tenant, feature=feature, release=release, environment=environment)
    return asyncio.run_coroutine_threadsafe(asked, _loop()).result()


@cache
def door() -> AnswerDoor:
    """The door of this process, for callers with an event loop of their own."""
    return AnswerDoor(Platform.embedded(), alert=logging.getLogger("ops_pipelines.budgets").warning)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One event loop for all callers that have none: providers' connections stay open in it."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="answers", daemon=True).start()
    return loop
