"""The guardrails of a system, with the checks that need a library: a policy's file becomes Guards."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ops_pipelines.adapters.secret_scan import find_secrets
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import digest_bytes, digest_json
from ops_pipelines.llmops.guardrail import Guards
from ops_pipelines.llmops.guards.check import Check
from ops_pipelines.llmops.guards.checks import PURE_CHECKS, secrets_check
from ops_pipelines.llmops.guards.policy import Policy
from ops_pipelines.llmops.guards.policy_guards import PolicyGuards
from ops_pipelines.llmops.guards.policy_text import read_policy_text

CHECKS: Mapping[str, Check] = {**PURE_CHECKS, "secrets": secrets_check(find_secrets)}
"""All checks that a policy can name."""


JUDGED_BY = (
    "as_read",
    "claims",
    "contradictions",
    "facts",
    "groundedness",
    "hostile_text",
    "polarity",
    "refusal",
    "sentences",
)
"""The modules of `llmops` by which checks judge, beside all of `llmops.guards`."""


@cache
def guards_code() -> str:
    """The digest of the code by which guardrails judge: what was answered under another one is asked again."""
    from ops_pipelines import llmops

    (folder,) = map(Path, llmops.__path__)
    files = [*(folder / f"{name}.py" for name in JUDGED_BY), *sorted((folder / "guards").glob("*.py"))]
    return digest_json([digest_bytes(file.read_bytes()) for file in files])


def guards_of(policy: Policy) -> Guards:
    """The guardrails that a policy describes; ConfigError for a check that is not there."""
    return PolicyGuards(policy, CHECKS)


def read_policy(path: Path) -> Policy:
    """The policy in a file; ConfigError where there is none, or with the line of each mistake in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The guardrails in {path.name!r} cannot be read: {error}",
            expected="a YAML file in UTF-8",
            action="Write one, for instance as docs/guardrails.md shows",
        ) from error
    return read_policy_text(path.stem, text, CHECKS)
