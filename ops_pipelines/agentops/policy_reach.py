"""Which rules of a policy can never apply: a word that no call has, or conditions that exclude each other.

Each rule is asked about every combination of what it mentions: the tools, and the values that stand in the rule with their
neighbours. So a rule that is named here applies to no call at all; one that mentions too much, or calculates, is not judged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice, product
from typing import Any

from ops_pipelines.agentops.claims import CENTS, ID, MONEY_AMOUNT, TARGET
from ops_pipelines.agentops.policy import Policy, Situation, judged_by
from ops_pipelines.agentops.policy_rules import Rule, rules_in
from ops_pipelines.agentops.tool_registry import EFFECTS, Tool
from ops_pipelines.core.errors import near_miss

_TRACED = (ID, TARGET, MONEY_AMOUNT, CENTS)
_MOST = 20_000
_LONGEST = 6
"""How many names of a set are tried in every combination."""
_SOME_AGENT, _SOME_TENANT, _SOME_OWNER = "an agent", "a tenant", "an owner"
_CALCULATES = frozenset({"+", "-", "*", "neg"})


@dataclass(frozen=True, slots=True)
class Known:
    """Where rules are to apply: an agent's name and tools (empty where any), the environments, and the freezes' names."""

    agent: str = ""
    tools: Sequence[Tool] = ()
    environments: Sequence[str] = ("production",)
    freezes: Sequence[str] = ()


def never_applying(policy: Policy, known: Known) -> tuple[tuple[Rule, str], ...]:
    """The rules that apply to no call, each with a guess why; empty where each can, or could not be judged."""
    return tuple((rule, _guess(rule, known)) for rule in rules_in(policy.texts) if _never(rule, known))


def _never(rule: Rule, known: Known) -> bool:
    words = _Words.of(rule.body)
    if words.calculates or max(len(words.arguments), len(known.freezes)) > _LONGEST:
        return False
    cases = list(islice(_cases(rule, known), _MOST + 1))
    parsed = rule.parsed()
    return len(cases) <= _MOST and not any(
        judged_by(parsed, tool, situation, approved=approved).diagnostics.reasons for tool, situation, approved in cases
    )


def _cases(rule: Rule, known: Known) -> Iterator[tuple[Tool, Situation, bool]]:
    """Every call that differs in what the rule mentions."""
    words = _Words.of(rule.body)
    tools = known.tools or list(_any_tools(words))
    agents = [known.agent] if known.agent else [_SOME_AGENT, *words.texts]
    names = ("agent", *_VARIED)
    values = [agents, *(make(words, known) if name in words.attributes else [None] for name, make in _VARIED.items())]
    approvals = (False, True) if "approved" in words.attributes else (False,)
    for tool, approved, found in product(tools, approvals, product(*values)):
        given = {name: value for name, value in zip(names, found, strict=True) if value is not None}
        given["freezes"] = given.get("freezes") or (("a freeze",) if given.pop("frozen", False) else ())
        amount = given.pop("has_amount", None)
        given.setdefault("amount_cents", 1 if amount else None)
        yield tool, Situation(**given), approved


@dataclass(frozen=True, slots=True)
class _Words:
    """What stands in a rule: the attributes that it asks about, its texts and its numbers."""

    attributes: frozenset[str]
    texts: tuple[str, ...]
    numbers: tuple[int, ...]
    calculates: bool

    @property
    def arguments(self) -> list[str]:
        """The texts that an argument can be: `name=value`."""
        return [one for one in self.texts if "=" in one]

    @classmethod
    def of(cls, body: Any) -> "_Words":
        found = list(_literals(body))
        return cls(
            frozenset(_attributes(body)),
            tuple(dict.fromkeys(one for one in found if isinstance(one, str))),
            tuple(dict.fromkeys(one for one in found if isinstance(one, int) and not isinstance(one, bool))),
            not _CALCULATES.isdisjoint(_keys(body)),
        )

    def near(self) -> list[int]:
        """The numbers with their neighbours, none below 0."""
        return sorted({0, *(max(number + by, 0) for number in self.numbers for by in (-1, 0, 1))})


_VARIED: Mapping[str, Any] = {
    "tenant": lambda words, known: ["", _SOME_TENANT, *words.texts],  # noqa: ARG005  one shape for all
    "environment": lambda words, known: list(known.environments),  # noqa: ARG005
    "depth": lambda words, known: sorted({0, 1, *words.near()}),  # noqa: ARG005
    "arguments": lambda words, known: _subsets(words.arguments),  # noqa: ARG005
    "amount_cents": lambda words, known: [None, *words.near()],  # noqa: ARG005
    "has_amount": lambda words, known: [False, True],  # noqa: ARG005
    "unseen": lambda words, known: _subsets(_TRACED),  # noqa: ARG005
    "tainted": lambda words, known: _subsets(_TRACED),  # noqa: ARG005
    "run_is_tainted": lambda words, known: [False, True],  # noqa: ARG005
    "frozen": lambda words, known: [False, True],  # noqa: ARG005  whatever is declared now, there can be one
    "freezes": lambda words, known: _subsets(known.freezes),  # noqa: ARG005
}
"""The values of what a situation can hold, where a rule asks about it."""


def _any_tools(words: _Words) -> Iterator[Tool]:
    """A tool of every kind, with the names and owners that a rule mentions."""
    owners = ["", _SOME_OWNER, *words.texts] if "owner" in words.attributes else [""]
    versions = ["0", "1", *words.texts] if "version" in words.attributes else ["1"]
    flags = [(first, second) for first in (False, True) for second in (False, True)]
    for name, effect, owner, version in product(["some_tool", *words.texts], EFFECTS, owners, versions):
        for idempotent, trusted in flags:
            if name and not (trusted and effect == "egress"):
                yield Tool(
                    name,
                    {"type": "object"},
                    effect,
                    version=version,
                    idempotent=idempotent,
                    owner=owner,
                    trusted=trusted,
                )


def _subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    return list(chain.from_iterable(combinations(names, size) for size in range(len(names) + 1)))


def _keys(body: Any) -> Iterator[str]:
    inside = body.values() if isinstance(body, Mapping) else body if isinstance(body, list) else ()
    yield from body if isinstance(body, Mapping) else ()
    yield from chain.from_iterable(map(_keys, inside))


def _attributes(body: Any) -> Iterator[str]:
    if isinstance(body, Mapping):
        if isinstance(body.get("attr"), str):
            yield body["attr"]
        yield from chain.from_iterable(map(_attributes, body.values()))
    elif isinstance(body, list):
        yield from chain.from_iterable(map(_attributes, body))


def _literals(body: Any, key: str = "") -> Iterator[str | int]:
    """The values, the names of entities and the patterns of a rule; its own words and attributes are none."""
    if isinstance(body, Mapping):
        if "pattern" in body:
            yield "".join(one["Literal"] for one in body["pattern"] if isinstance(one, Mapping))
        inside = {
            name: one for name, one in body.items() if name not in ("annotations", "attr", "op", "kind", "pattern")
        }
        yield from chain.from_iterable(_literals(one, name) for name, one in inside.items())
    elif isinstance(body, list):
        yield from chain.from_iterable(_literals(one, key) for one in body)
    elif key in ("Value", "Set", "id") and isinstance(body, str | int):
        yield body


def _guess(rule: Rule, known: Known) -> str:
    """The nearest word that some call has, for a word of the rule that none has."""
    there = [*EFFECTS, *_TRACED, *known.environments, *known.freezes, *(tool.name for tool in known.tools)]
    strange = [one for one in _Words.of(rule.body).texts if one not in there]
    guesses = [f"{one!r}: {near}" for one in strange if (near := near_miss(one, there)).endswith("?")]
    if guesses or strange:
        return "; ".join(guesses) or f"perhaps no call has {', '.join(map(repr, strange))}"
    return "no call fulfils all its conditions"
