"""The door by which a person, an agent, a CI job or another service asks for a retraining.

    wanted = plan_request(platform, "flight_delay", reason="a new airline", actor="ci", key="build-812")
    asked = write_request(platform, wanted)

The caller's own key makes it idempotent: the same key for the same system is one request, whoever asks again and when.
What comes in here waits for the same rule as the episodes do (cooldown, a request that is open, budgets), unless somebody
asks `anyway`, which the row then says. Two who ask in one instant with different keys may both be written: each is a
request of its own, and the budgets count both.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.retraining_answers import answers_of, rule_of
from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.mlops.retraining_log import Request
from ops_pipelines.mlops.retraining_requests import Answer, why_wait
from ops_pipelines.mlops.retraining_rule import RetrainingRule
from ops_pipelines.mlops.training_cost import Spending, spending

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,99}")
"""A key becomes part of a Dagster run key, where `#` counts the attempts, and a tag."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request as it stands already, or as it would be written; the rule's verdict on it, and what was spent so far."""

    request: Request
    stands: bool
    verdict: Verdict
    rule: RetrainingRule
    spent: Spending
    answers: Sequence[Answer]

    @property
    def runs_left(self) -> int:
        """How many more runs the budget's weeks allow."""
        return max(0, self.rule.budget_runs - self.spent.requests)


def plan_request(
    platform: Platform,
    system: str,
    *,
    reason: str,
    actor: str,
    key: str | None = None,
    week: str | None = None,
    anyway: bool = False,
) -> Wanted:
    """What asking would come to; nothing is written.

    `week` is the one up to whose end is trained; the last accepted one without it. Without a key the instant of the
    platform's clock is the key. ConfigError for an unknown system, an empty reason or actor, a key that cannot be one or
    that stands for another week, and a week that has not ended or of which nothing was accepted.
    """
    _check_words(platform, system, reason, actor, key)
    now = platform.clock.as_of()
    full_key = f"{system}/request/{key or int(now.timestamp())}"
    rows = platform.retraining.requests(system)
    standing = next((row for row in rows if row.key == full_key), None)
    if standing and key and week and week != standing.week:
        raise ConfigError(
            f"The key {key!r} stands for a training up to {standing.week}, asked for by {standing.actor}",
            expected=f"the same week with the same key, and not {week}",
            action="Choose another --key, or leave --week out",
        )
    trained = standing.week if standing else _week_to_train(platform, system, week, now)
    request = standing or Request(full_key, system, trained, now, reason.strip(), actor, platform.clock.wall())
    return _judged(platform, request, stands=standing is not None, anyway=anyway)


def write_request(platform: Platform, wanted: Wanted) -> Wanted:
    """The row that stands under the request's key now; unchanged, and nothing written, where the verdict is no pass."""
    if wanted.stands or not isinstance(wanted.verdict, Passed):
        return wanted
    standing = platform.retraining.ask(wanted.request)
    return replace(wanted, request=standing, stands=standing != wanted.request)


def _judged(platform: Platform, request: Request, *, stands: bool, anyway: bool) -> Wanted:
    """A request with what the rule says of it. What stands already was let in."""
    system, now, rule = request.system, platform.clock.as_of(), rule_of(platform, request.system)
    rows, steps = platform.retraining.requests(system), platform.retraining.steps(system)
    answers = answers_of(platform, system)
    settled = {answer.request.key for answer in answers if not answer.is_open(now, rule.patience_weeks)}
    why = None if stands else why_wait(rows, steps, decided=settled, end=now, rule=rule)
    if why and anyway:
        request, why = replace(request, reason=f"{request.reason} (asked for anyway: {why})"), None
    spent = spending(rows, steps, after=now - timedelta(weeks=rule.budget_weeks), by=now)
    return Wanted(request, stands, Blocked((why,)) if why else Passed(), rule, spent, answers)


def _check_words(platform: Platform, system: str, reason: str, actor: str, key: str | None) -> None:
    if system not in platform.systems():
        raise ConfigError(
            f"{system!r} has no checkpoint",
            expected="a system that was trained",
            action=near_miss(system, platform.systems()),
        )
    if not reason.strip():
        raise ConfigError("The reason is empty", expected="why a run is worth it", action="Say it with --reason")
    if not actor.strip():
        raise ConfigError("Nobody is named as the one who asks", expected="a name", action="Say it with --by")
    if key is not None and not _KEY.fullmatch(key):
        raise ConfigError(
            f"{key!r} cannot be a key",
            expected="1 to 100 letters, digits and . _ : / @ + -, the first a letter or a digit",
            action="Name for instance the build, or the ticket, with --key",
        )


def _week_to_train(platform: Platform, system: str, week: str | None, now: datetime) -> str:
    """The week asked for, or the last accepted one: judged, or failing that scored, or trained on before."""
    accepted = [platform.lake.partitions(f"{system}/{part}") for part in ("drift", "predictions", "training_set")]
    known = {key for keys in accepted for key in keys}
    if week and _has_not_ended(week, now):
        raise ConfigError(
            f"The week of {week} has not ended: the platform's clock says {utc(now):%Y-%m-%d %H:%M}",
            expected="a week that is over",
            action="Ask when it has ended, or leave --week out for the last accepted one",
        )
    if not known or (week and week not in known):
        raise ConfigError(
            f"{system} cannot be trained up to {week or 'any week'}: nothing of it was accepted",
            expected="a week whose features were accepted",
            action=near_miss(week, known) if week and known else "`ops materialize` makes scores or a training set",
        )
    return week or next(keys[-1] for keys in accepted if keys)


def _has_not_ended(week: str, now: datetime) -> bool:
    try:
        return date.fromisoformat(week) + timedelta(weeks=1) > utc(now).date()
    except ValueError:
        return False  # no day at all: the nearest known week is named instead
