"""Scorers whose version is their code: one that was edited scores again, and nobody has to think of a number.

Scoring again asks no provider, so that an edit of any file beside it counts; what a judge asks is in its version already.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from ops_pipelines.core.fingerprint import digest_bytes, digest_json, short
from ops_pipelines.llmops.evals.scorer import Rule, Scorer

_OURS = "ops_pipelines.llmops"


def versioned_by_code(scorers: Sequence[Scorer]) -> tuple[Scorer, ...]:
    """The scorers, each plain rule with the digest of its code behind its own version.

    A rule's code are the Python files of its module's folder; ours stand on all of `llmops`. What was typed at a prompt has
    no file, and keeps its own version.
    """
    return tuple(_versioned(one) if isinstance(one, Rule) else one for one in scorers)


def _versioned(rule: Rule) -> Rule:
    module = rule.judge.__module__
    has_file = bool(getattr(sys.modules.get(module), "__file__", None))
    return replace(rule, version=f"{rule.version}/{_code_of(module)}") if has_file else rule


@cache
def _code_of(module: str) -> str:
    rooms = {module, _OURS} if module.startswith(f"{_OURS}.") else {module}
    files = sorted(file for room in rooms for file in _folder(room).glob("*.py"))
    return short(digest_json([[file.parent.name, file.name, digest_bytes(file.read_bytes())] for file in files]))


def _folder(module: str) -> Path:
    return Path(sys.modules[module].__file__ or "").parent
