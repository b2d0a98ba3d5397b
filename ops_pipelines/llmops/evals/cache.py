"""What was answered and scored before, by the digest of all that decides it: what makes an unchanged evaluation free.

What an EvalCache guarantees is checked by `ops_pipelines.testing.eval_cache`.
"""

from collections.abc import Collection, Mapping
from typing import Protocol

from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.llmops.answering import Prepared
from ops_pipelines.llmops.evals.case import Case
from ops_pipelines.llmops.evals.scorer import Scorer

FORMAT = 1
"""Of the records: another one is asked anew, and none is read that was written otherwise."""


class EvalCache(Protocol):
    """Records by key. What was put is there after the process was killed; any threads may use it at once."""

    def get_many(self, keys: Collection[str]) -> Mapping[str, str]:
        """The records of those keys that are there."""

    def put_many(self, records: Mapping[str, str]) -> None:
        """Keep records, all or none; a key that is there already is left as it is."""


def answer_key(prepared: Prepared, case: Case, repeat: int) -> str:
    """The key of an answer: what is asked of whom, every part of the case, and which of its repeats it is."""
    return digest_json([FORMAT, prepared.key, case.digest, repeat])


def score_key(answer: str, scorer: Scorer) -> str:
    """The key of an answer's score."""
    return digest_json([answer, scorer.name, scorer.version])
