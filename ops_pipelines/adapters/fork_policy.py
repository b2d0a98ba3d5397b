"""The policy that a fork goes by, kept under its digest, so that a fork that waits is resumed by the same one.

A yes is bound to the policy under which it was asked for: under the agent's own it would be of another call.
"""

import json

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops.freeze import Freeze
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.replay import fork_note
from ops_pipelines.agentops.run_log import Recording
from ops_pipelines.core.fingerprint import canonical_json


def keep_policy(platform: Platform, policy: Policy) -> str:
    """The digest under which a policy is kept now."""
    freezes = [freeze.to_json() for freeze in policy.freezes]
    return platform.objects.put(canonical_json({"texts": dict(policy.texts), "freezes": freezes}))


def policy_of_fork(platform: Platform, recording: Recording) -> Policy | None:
    """The policy that a fork goes by; None for a run that is no fork, ArtefactError where it is no longer kept."""
    digest = fork_note(recording).get("policy")
    if not digest:
        return None
    kept = json.loads(platform.objects.get(digest))
    return Policy(kept["texts"], tuple(map(Freeze.from_json, kept["freezes"])))
