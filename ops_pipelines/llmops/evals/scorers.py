"""The scorers that ask nobody, by name, as an evaluation takes them where nothing else is said."""

from collections.abc import Sequence

from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.llmops.evals.citing import PRECISION, READ, RECALL
from ops_pipelines.llmops.evals.effort import SCHEMA
from ops_pipelines.llmops.evals.expected import EXACT, NEVER, SAYS
from ops_pipelines.llmops.evals.finding import RETRIEVAL_NDCG, RETRIEVAL_RECALL
from ops_pipelines.llmops.evals.scorer import Rule
from ops_pipelines.llmops.evals.supported import FAITHFULNESS, GROUNDEDNESS, REFUSAL

STANDARD: tuple[Rule, ...] = (
    SAYS,
    REFUSAL,
    NEVER,
    GROUNDEDNESS,
    FAITHFULNESS,
    PRECISION,
    RECALL,
    READ,
    RETRIEVAL_RECALL,
    RETRIEVAL_NDCG,
    SCHEMA,
)
"""All that needs no limit of its own; `exact` is for sets whose answers are one word."""
KNOWN = {rule.name: rule for rule in (*STANDARD, EXACT)}


def scorers_named(names: Sequence[str]) -> tuple[Rule, ...]:
    """The scorers of these names; ConfigError with the nearest name for one that is not known.

    >>> [scorer.name for scorer in scorers_named(["never", "says"])]
    ['never', 'says']
    """
    for name in names:
        if name not in KNOWN:
            raise ConfigError(f"There is no scorer {name!r}", expected="a scorer", action=near_miss(name, KNOWN))
    return tuple(KNOWN[name] for name in names)
