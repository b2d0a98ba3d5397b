"""The fake of `llmops.guardrail.Guards`, and the conformance suite that the fake and every implementation run.

A team that writes guards of its own subclasses the suite and gives it a fixture named `guarding`: a function that takes, by
place, what judges a text there, and gives the Guards whose only rules these are, each of which blocks.
"""

from collections.abc import Callable, Mapping

import pytest

from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.guardrail import CONTEXT, INPUT, OUTPUT, PLACES, Exchange, Guarded, Guards
from ops_pipelines.llmops.passages import Passage

JudgeText = Callable[[str], Verdict]
Guarding = Callable[[Mapping[str, JudgeText]], Guards]
EXCHANGE = Exchange(
    "how do I roll back", (Passage("a.md", "1", "Run it."), Passage("b.md", "1", "Wait.")), "Run it [a.md#1]."
)


class ScriptedGuards:
    """Guards for tests: what judges each place is a function, and a place without one lets everything through."""

    def __init__(
        self, judges: Mapping[str, JudgeText] | None = None, *, refusal: str = "That is not answered."
    ) -> None:
        self._judges, self.refusal = dict(judges or {}), refusal
        self.judged: list[tuple[str, Exchange]] = []
        """Every exchange that it was asked about, with the place."""

    def judge(self, where: str, exchange: Exchange) -> Guarded:
        self.judged.append((where, exchange))
        if where not in self._judges:
            return Guarded(Passed())
        found = [self._judged(where, text) for text in _texts(where, exchange)]
        verdict = next((one for kind in (Blocked, NotEvaluated) for one in found if isinstance(one, kind)), Passed())
        return Guarded(verdict, {where: verdict})

    def _judged(self, where: str, text: str) -> Verdict:
        try:
            return self._judges[where](text)
        except Exception as error:  # a script may break on purpose
            return NotEvaluated(f"{type(error).__name__}: {error}")


def _texts(where: str, exchange: Exchange) -> list[str]:
    if where == CONTEXT:
        return [passage.text for passage in exchange.passages]
    return [exchange.question if where == INPUT else exchange.answer]


def breaks(text: str) -> Verdict:
    """A judge that fails."""
    raise RuntimeError(f"no judge for {text[:9]!r}")


class GuardsConformance:
    """What every Guards guarantees, as tests of the fixture `guarding`."""

    @pytest.mark.parametrize("where", PLACES)
    def test_a_place_without_a_rule_lets_everything_through(self, guarding: Guarding, where: str) -> None:
        guarded = guarding({}).judge(where, EXCHANGE)
        assert (guarded.verdict, dict(guarded.findings), guarded.dropped) == (Passed(), {}, ())

    @pytest.mark.parametrize("where", PLACES)
    def test_what_a_rule_refuses_is_blocked_with_its_reason(self, guarding: Guarding, where: str) -> None:
        guarded = guarding({where: lambda _: Blocked(("too loud",))}).judge(where, EXCHANGE)
        assert isinstance(guarded.verdict, Blocked)
        assert "too loud" in guarded.verdict.reasons[0]
        assert [type(found) for found in guarded.findings.values()] == [Blocked]

    @pytest.mark.parametrize("where", PLACES)
    def test_a_rule_that_fails_is_closed_and_raises_nothing(self, guarding: Guarding, where: str) -> None:
        guarded = guarding({where: breaks}).judge(where, EXCHANGE)
        assert isinstance(guarded.verdict, NotEvaluated)
        assert "RuntimeError" in guarded.verdict.why

    @pytest.mark.parametrize("where", PLACES)
    def test_a_rule_that_cannot_tell_is_no_pass(self, guarding: Guarding, where: str) -> None:
        guarded = guarding({where: lambda _: NotEvaluated("nobody knows")}).judge(where, EXCHANGE)
        assert isinstance(guarded.verdict, NotEvaluated)
        assert "nobody knows" in guarded.verdict.why

    def test_a_rule_looks_at_its_own_place_alone(self, guarding: Guarding) -> None:
        guards = guarding({OUTPUT: breaks})
        assert [isinstance(guards.judge(where, EXCHANGE).verdict, Passed) for where in PLACES] == [True, True, False]

    def test_every_passage_is_judged(self, guarding: Guarding) -> None:
        seen: list[str] = []
        guarding({CONTEXT: lambda text: seen.append(text) or Passed()}).judge(CONTEXT, EXCHANGE)  # type: ignore[func-returns-value]
        assert seen == ["Run it.", "Wait."]

    def test_without_a_passage_there_is_nothing_to_refuse(self, guarding: Guarding) -> None:
        assert guarding({CONTEXT: breaks}).judge(CONTEXT, Exchange("why")).verdict == Passed()

    def test_a_refusal_says_something(self, guarding: Guarding) -> None:
        assert guarding({}).refusal.strip()
