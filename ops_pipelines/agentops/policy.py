"""What an agent may do: Cedar policies over the tool, its effect and where its arguments come from.

Nothing is allowed that no policy permits, and one that forbids wins. A policy that cannot be evaluated denies, though
Cedar itself would go on without it. Money is whole cents, since a float gives Cedar no decision.

A policy asks for a person by forbidding what was not approved:

    @id("money is approved") forbid(principal, action, resource)
    when { resource.effect == "money" } unless { context.approved };

A call that is denied is judged again as if it had been approved: where it then were allowed, a person is asked.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ops_pipelines.agentops.freeze import Freeze
from ops_pipelines.agentops.tool_registry import Tool
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import digest_json

if TYPE_CHECKING:
    from cedarpy import AuthzResult, Entities, PolicySet

ALLOW, ASK, DENY = "allow", "ask", "deny"
SCHEMA = """
entity Agent;
entity Tool = { effect: String, version: String, owner: String, idempotent: Bool, trusted: Bool };
action call appliesTo {
    principal: Agent, resource: Tool,
    context: {
        tenant: String, environment: String, depth: Long,
        arguments: Set<String>, amount_cents: Long, has_amount: Bool,
        unseen: Set<String>, tainted: Set<String>, run_is_tainted: Bool,
        frozen: Bool, freezes: Set<String>, approved: Bool
    }
};
"""
"""What a policy can ask about. `arguments` are the plain ones as `name=value`. `unseen` and `tainted` are the kinds of
claims (id, destination, secret, amount, amount_cents) that occurred nowhere, and those that only strangers wrote."""
_MOST = 2**63 - 1
_REMEMBERED, _LONGEST_REMEMBERED = 10_000, 2_000
"""So many decisions are remembered, and none that was asked for with more characters of arguments."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a call is judged by besides its tool; see SCHEMA. `depth` counts the agents that handed the work on."""

    agent: str
    tenant: str = ""
    environment: str = "production"
    depth: int = 0
    arguments: tuple[str, ...] = ()
    amount_cents: int | None = None
    unseen: tuple[str, ...] = ()
    tainted: tuple[str, ...] = ()
    run_is_tainted: bool = False
    freezes: tuple[str, ...] = ()

    def to_context(self, *, approved: bool) -> dict[str, Any]:
        """What Cedar is given."""
        return {
            "tenant": self.tenant,
            "environment": self.environment,
            "depth": self.depth,
            "arguments": self.arguments,
            "amount_cents": self.amount_cents or 0,
            "has_amount": self.amount_cents is not None,
            "unseen": self.unseen,
            "tainted": self.tainted,
            "run_is_tainted": self.run_is_tainted,
            "frozen": bool(self.freezes),
            "freezes": self.freezes,
            "approved": approved,
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy says of a call: allow, ask or deny, by which policies, and what could not be evaluated.

    `by` is empty where nothing permits the call. Where a person is asked, it names the policies that want one.
    """

    outcome: str
    by: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why, in one sentence."""
        if self.errors:
            return f"the policy could not be evaluated: {'; '.join(self.errors)}"
        named = ", ".join(repr(name) for name in self.by)
        if self.outcome == ALLOW:
            return f"permitted by {named}"
        if self.outcome == ASK:
            return "may be done once a person has approved it" + (f" ({named})" if named else "")
        return f"is forbidden ({named})" if named else "is forbidden: no policy permits it"

    def to_json(self) -> dict[str, Any]:
        """The decision as plain JSON."""
        return {"outcome": self.outcome, "by": list(self.by), "errors": list(self.errors)}


@dataclass(frozen=True, slots=True)
class Policy:
    """An agent's policies, each text by the name of its file; ConfigError for one that cannot be read or would not do.

    Every policy has an `@id` of its own, by which a decision names it. `freezes` are the spans that `context.frozen`
    tells of.
    """

    texts: Mapping[str, str]
    freezes: Sequence[Freeze] = ()
    _parsed: "PolicySet" = field(init=False, repr=False, compare=False)
    _asks: bool = field(init=False, repr=False, compare=False)
    _reads: bool = field(init=False, repr=False, compare=False)
    _known: dict[Any, Decision] = field(init=False, repr=False, compare=False, default_factory=dict)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        from cedarpy import PolicySet

        whole = "\n".join(self.texts[name] for name in sorted(self.texts))
        for name, text in self.texts.items():
            _check(name, text)
        _check_ids(whole)
        object.__setattr__(self, "_parsed", PolicySet.from_str(whole))
        object.__setattr__(self, "_asks", "approved" in whole)  # otherwise an approval changes nothing
        object.__setattr__(self, "_reads", "arguments" in whole)  # otherwise no argument does
        said = self.to_json()
        object.__setattr__(self, "digest", digest_json([said["texts"], said["freezes"], SCHEMA]))

    def to_json(self) -> dict[str, Any]:
        """The policy as plain JSON, read back by `from_json`."""
        return {"texts": dict(self.texts), "freezes": [freeze.to_json() for freeze in self.freezes]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Policy":
        """The policy that `to_json` wrote."""
        return cls(record["texts"], tuple(map(Freeze.from_json, record["freezes"])))

    @property
    def asks_about_arguments(self) -> bool:
        """Whether what it says can hang on the text of an argument."""
        return self._reads

    def decide(self, tool: Tool, situation: Situation, *, approved: bool = False) -> Decision:
        """What the policies say of a call; `approved` where a person has approved this very call."""
        first = self._judged(tool, situation, approved=approved)
        if first.outcome == ALLOW or approved or first.errors or not self._asks:
            return first
        second = self._judged(tool, situation, approved=True)
        return Decision(ASK, first.by) if second.outcome == ALLOW else second

    def _judged(self, tool: Tool, situation: Situation, *, approved: bool) -> Decision:
        """The decision, which is the same whenever the same is asked, and so is looked up where it was made before."""
        asked = situation if self._reads else replace(situation, arguments=())
        key = (_facts(tool), asked, approved)
        found = self._known.get(key)
        if found is None:
            found = self._evaluated(tool, asked, approved=approved)
            if sum(map(len, asked.arguments)) > _LONGEST_REMEMBERED:
                return found
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = found
        return found

    def _evaluated(self, tool: Tool, situation: Situation, *, approved: bool) -> Decision:
        import cedarpy

        amount = situation.amount_cents
        if amount is not None and not 0 <= amount <= _MOST:
            return Decision(DENY, errors=(f"an amount of {amount} cents cannot be judged",))
        found = judged_by(self._parsed, tool, situation, approved=approved)
        by = tuple(sorted(found.diagnostics.id_annotations_by_reason.values()))
        errors = tuple(found.diagnostics.errors)
        is_allowed = found.decision == cedarpy.Decision.Allow and not errors
        if found.decision == cedarpy.Decision.NoDecision and not errors:
            errors = ("it came to no decision",)
        return Decision(ALLOW if is_allowed else DENY, by, errors)


def judged_by(policies: "PolicySet", tool: Tool, situation: Situation, *, approved: bool) -> "AuthzResult":
    """What Cedar itself says of a call by some policies."""
    import cedarpy

    request = {
        "principal": f"Agent::{_quoted(situation.agent)}",
        "action": 'Action::"call"',
        "resource": f"Tool::{_quoted(tool.name)}",
        "context": situation.to_context(approved=approved),
    }
    return cedarpy.is_authorized(request, policies, _entities(_facts(tool), situation.agent))


_TOLD = ("name", "effect", "version", "owner", "idempotent", "trusted")
"""What Cedar is told of a tool."""
_facts: Callable[[Tool], tuple[Any, ...]] = attrgetter(*_TOLD)


@lru_cache(maxsize=1024)
def _entities(facts: tuple[Any, ...], agent: str) -> "Entities":
    """The two that a request is about, parsed once."""
    from cedarpy import Entities

    attributes = dict(zip(_TOLD, facts, strict=True))
    name = attributes.pop("name")
    records = [
        {"uid": {"type": "Agent", "id": agent}, "attrs": {}, "parents": []},
        {"uid": {"type": "Tool", "id": name}, "attrs": attributes, "parents": []},
    ]
    return Entities.from_json_str(json.dumps(records))


def _check(name: str, text: str) -> None:
    """ConfigError for a text that is no policy, or asks about what no call has."""
    import cedarpy

    if not text.strip():
        raise _wrong(name, "it is empty")
    found = cedarpy.validate_policies(text, SCHEMA)
    if not found.validation_passed:
        raise _wrong(name, "; ".join(error.error for error in found.errors))


def _check_ids(text: str) -> None:
    """ConfigError for a policy without an @id, for two with the same, and for a template."""
    import cedarpy

    read = json.loads(cedarpy.policies_to_json_str(text))
    if read.get("templates"):
        raise _wrong("the policies", "there is a template, and nothing here fills one in")
    ids = [policy.get("annotations", {}).get("id") for policy in read["staticPolicies"].values()]
    if not ids:
        raise _wrong("the policies", "there is none")
    if not all(ids):
        raise _wrong("the policies", f"{sum(not id for id in ids)} of {len(ids)} have no @id")
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise _wrong("the policies", f"the @id {twice[0]!r} is that of two")


def _wrong(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"The policy {name!r} cannot be used: {why}",
        expected="Cedar policies, each with an @id of its own, about what ops_pipelines.agentops.policy.SCHEMA names",
        action="Correct it: until then every call is denied",
        policy=name,
    )


def _quoted(name: str) -> str:
    """A name as Cedar writes it, which knows other escapes than JSON for what is not ASCII."""
    return json.dumps(name, ensure_ascii=False)
