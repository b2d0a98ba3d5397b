"""A policy as people write it: a YAML file, whose mistakes are found all at once, each with its line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.llmops.guardrail import CONTEXT, PLACES
from ops_pipelines.llmops.guards.check import REQUIRED, Check
from ops_pipelines.llmops.guards.policy import ACTIONS, DROP, Policy, Rule
from ops_pipelines.llmops.strict_yaml import read_strictly

KEYS, RULE_KEYS = ("refusal", "rules", "description"), ("name", "where", "check", "action", "settings")
MAX_FILE_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong with a policy, and the line of the file (from 1)."""

    message: str
    line: int


def read_policy_text(name: str, text: str, checks: Mapping[str, Check]) -> Policy:
    """The policy that a text holds; ConfigError with the line of every mistake (`facts["mistakes"]`)."""
    if len(text) > MAX_FILE_CHARS:
        raise _refused(name, [Mistake(f"the file has {len(text):,} characters", 1)])
    content, lines = read_strictly(text)
    mistakes = sorted(_mistakes(content, lines, checks), key=lambda mistake: mistake.line)
    if mistakes:
        raise _refused(name, mistakes)
    rules = [Rule(**{**rule, "settings": rule.get("settings") or {}}) for rule in content["rules"]]
    return Policy(content["refusal"].strip(), tuple(rules))


def check_rules(policy: Policy, checks: Mapping[str, Check]) -> None:
    """Raises ConfigError where a policy names a check, a place or a setting that is not there."""
    content = {"refusal": policy.refusal, "rules": policy.to_json()["rules"]}
    mistakes = list(_mistakes(content, {}, checks))
    if mistakes:
        raise _refused("policy", mistakes)


def _refused(name: str, mistakes: list[Mistake]) -> ConfigError:
    said = "; ".join(f"line {mistake.line}: {mistake.message}" for mistake in mistakes)
    return ConfigError(
        f"The guardrails of {name!r} cannot be read: {said}",
        expected="`refusal` and `rules`, each rule with name, where, check and action",
        action="Mend the file",
        mistakes=tuple(mistakes),
    )


def _mistakes(content: Mapping[str, Any], lines: Mapping[str, int], checks: Mapping[str, Check]) -> Iterator[Mistake]:
    yield from _unknown(content, KEYS, lines, "")
    if not _is_text(content.get("refusal")):
        yield Mistake("`refusal` has to be what a caller is told, a text", lines.get("refusal", 1))
    rules = content.get("rules")
    if not isinstance(rules, list):
        yield Mistake("`rules` has to be a list; `[]` for none", lines.get("rules", 1))
        return
    names: set[str] = set()
    for number, rule in enumerate(rules):
        path = f"rules.{number}"
        if not isinstance(rule, Mapping):
            yield Mistake("a rule is a mapping", lines.get(path, 1))
            continue
        if str(rule.get("name")) in names:
            yield Mistake(f"two rules are named {rule['name']!r}", lines.get(f"{path}.name", 1))
        names.add(str(rule.get("name")))
        yield from _mistakes_in_rule(rule, path, lines, checks)


def _mistakes_in_rule(
    rule: Mapping[str, Any], path: str, lines: Mapping[str, int], checks: Mapping[str, Check]
) -> Iterator[Mistake]:
    line = lines.get(path, 1)
    yield from _unknown(rule, RULE_KEYS, lines, f"{path}.")
    if not _is_text(rule.get("name")):
        yield Mistake("a rule needs a `name`, a text", lines.get(f"{path}.name", line))
    for key, known in (("where", PLACES), ("check", tuple(checks)), ("action", ACTIONS)):
        if rule.get(key) not in known:
            said = (
                f"no {key} {rule[key]!r}. {near_miss(str(rule[key]), known)}" if key in rule else f"there is no `{key}`"
            )
            yield Mistake(said, lines.get(f"{path}.{key}", line))
    if rule.get("action") == DROP and rule.get("where") in PLACES and rule["where"] != CONTEXT:
        yield Mistake("only passages can be dropped: `where` is not context", lines.get(f"{path}.action", line))
    check = checks.get(str(rule.get("check")))
    if check is not None:
        yield from _mistakes_in_settings(rule, check, path, lines)


def _mistakes_in_settings(
    rule: Mapping[str, Any], check: Check, path: str, lines: Mapping[str, int]
) -> Iterator[Mistake]:
    line = lines.get(f"{path}.settings", lines.get(path, 1))
    if rule.get("where") in PLACES and rule["where"] not in check.places:
        yield Mistake(f"{check.name!r} looks at {' and '.join(check.places)} alone", lines.get(f"{path}.where", line))
    given = rule.get("settings") or {}
    if not isinstance(given, Mapping):
        yield Mistake("`settings` has to be a mapping", line)
        return
    yield from _unknown(given, tuple(check.settings), lines, f"{path}.settings.")
    for name, setting in check.settings.items():
        if name not in given and setting.default is REQUIRED:
            yield Mistake(f"{check.name!r} needs the setting `{name}`: {setting.expected}", line)
        elif name in given and not setting.is_good(given[name]):
            said = f"`{name}` is {given[name]!r}, and has to be {setting.expected}"
            yield Mistake(said, lines.get(f"{path}.settings.{name}", line))


def _unknown(
    content: Mapping[str, Any], known: tuple[str, ...], lines: Mapping[str, int], path: str
) -> Iterator[Mistake]:
    for key in content:
        if key not in known:
            yield Mistake(f"unknown key {key!r}. {near_miss(str(key), known)}", lines.get(f"{path}{key}", 1))


def _is_text(given: Any) -> bool:
    return isinstance(given, str) and bool(given.strip())
