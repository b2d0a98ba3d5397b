"""What a person says came of an effect of which nobody knew: kept in the journal, and told of in the audit log first."""

import json
from dataclasses import dataclass
from typing import Any

from ops_pipelines.adapters.agent_place import environment_of, system_of
from ops_pipelines.adapters.approvals import LEAST_DIGITS
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.redactors import secrets_out_of
from ops_pipelines.agentops.effects import DONE, NOT_DONE, STARTED, Entry, Outcome, judge_outcome
from ops_pipelines.agentops.run_named import run_of
from ops_pipelines.core.named import one_named
from ops_pipelines.core.principal import APPROVE
from ops_pipelines.core.verdict import Blocked, Passed, Verdict, reasons_of

SETTLES = "settles an effect"
"""What the audit log says of it."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What somebody says came of an effect, and whether that counts."""

    entry: Entry
    outcome: Outcome
    verdict: Verdict

    @property
    def counts(self) -> bool:
        """Whether it was kept."""
        return isinstance(self.verdict, Passed)

    def to_json(self) -> dict[str, Any]:
        """What was said as plain JSON, with why it does not count where it does not."""
        intent = self.entry.intent
        told = {
            "effect": intent.digits,
            "key": intent.key,
            "tool": intent.tool,
            "arguments": intent.arguments,
            "run": intent.run,
        }
        said = {"settled": self.outcome.state, "by": self.outcome.by, "result": self.outcome.result}
        return told | said | {"counts": self.counts, "reasons": list(reasons_of(self.verdict))}


def effect_named(platform: Platform, key: str) -> Entry:
    """The one effect whose key, or whose digits, begin so; ConfigError for none, with the nearest, and for several."""
    entries = platform.effects.entries()
    known = [(name, one) for one in entries for name in (one.intent.digits, one.intent.key)]
    return one_named("effect", key, known, least=LEAST_DIGITS, lists="ops agent effects")


def settle_effect(
    platform: Platform, key: str, *, done: bool, note: str, otherwise: str, result: Any = None, dry_run: bool = False
) -> Settled:
    """Say that an effect was done or was not; what does not count says why in its verdict, and changes nothing.

    `result` is what the tool would have answered, as plain JSON, and the note where nobody knows that. `otherwise` is who
    says it where no principal was added yet. NotAllowed where the token may not approve for the agent.
    """
    entry, note = effect_named(platform, key), secrets_out_of(platform.project.home).text(note)
    who = _who(platform, entry, otherwise)
    found = json.dumps(note if result is None else result, ensure_ascii=False) if done else note
    outcome, at = Outcome(DONE if done else NOT_DONE, found, who), platform.clock.wall()
    verdict = _still_at_it(entry) if entry.state(at) == STARTED else judge_outcome(entry, outcome)
    if dry_run or not isinstance(verdict, Passed):
        return Settled(entry, outcome, verdict)
    facts = {"key": entry.intent.key, "tool": entry.intent.tool, "settled": outcome.state, "note": note}
    platform.audit.append(at=at, actor=who, action=SETTLES, subject=_system(platform, entry), facts=facts)
    return Settled(entry, outcome, platform.effects.end(entry.intent.key, outcome, at=at))


def _who(platform: Platform, entry: Entry, otherwise: str) -> str:
    where = environment_of(platform, entry.intent.run)
    return platform.access.whoever_may(APPROVE, _system(platform, entry), where, otherwise=otherwise)


def _system(platform: Platform, entry: Entry) -> str:
    steps = platform.runs.steps(run_of(entry.intent.run))
    return system_of(platform, entry.intent.release, otherwise=steps[0].agent if steps else entry.intent.run)


def _still_at_it(entry: Entry) -> Blocked:
    return Blocked((f"its tool may still answer, until {entry.until:%Y-%m-%d %H:%M:%S} UTC",))
