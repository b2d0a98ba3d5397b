"""The policy by which a fork goes on: that of its agent or another one, and every new effect is asked for besides.

A fork notes another policy whole, so that it goes on with it when somebody resumes it.
"""

from collections.abc import Mapping
from typing import Any

from ops_pipelines.agentops.policy import Policy
from ops_pipelines.core.errors import ConfigError

FORK_ASKS = """
@id("a fork asks before it does anything") forbid(principal, action, resource)
unless { resource.effect == "read" || context.approved };
"""
"""What a fork's policy adds to the agent's: the run has had its effects, and no other one happens by itself."""


def asking(policy: Policy) -> Policy:
    """A policy that asks besides."""
    return Policy({**policy.texts, "fork": FORK_ASKS}, policy.freezes)


def policy_to_note(policy: Policy) -> dict[str, Any]:
    """What a fork notes of another policy that it goes on with."""
    return {"policy": policy.to_json(), "digest": policy.digest}


def policy_noted(note: Mapping[str, Any], own: Policy) -> Policy:
    """The policy of a fork by its note; ConfigError where that is not whole any more."""
    said = note.get("policy")
    if said is None:
        return own
    policy = Policy.from_json(said)
    if policy.digest != note["digest"]:
        raise ConfigError(
            "The policy of the fork was shortened or redacted when it was noted",
            expected="the policy that it was made with",
            action="Fork the run once more",
        )
    return policy
