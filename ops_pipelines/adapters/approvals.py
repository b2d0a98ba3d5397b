"""A person's answer to a call that waits: who they are, whether it counts, and that it is told of in the audit log.

It is told of before it is kept, since the two lie in two files: an answer that counts is never without its entry. Where it
turns out that somebody else was first, a second entry says so.
"""

from dataclasses import dataclass, replace
from typing import Any

from ops_pipelines.adapters.agent_place import environment_of, system_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.redactors import secrets_out_of
from ops_pipelines.agentops.approval import Answer, Held, judge_answer
from ops_pipelines.core.named import one_named
from ops_pipelines.core.principal import APPROVE
from ops_pipelines.core.verdict import Passed, Verdict, reasons_of

APPROVES, DENIES, TOO_LATE = "approves a call", "denies a call", "answer did not count"
"""What the audit log says of it."""
LEAST_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Answered:
    """What somebody said to a request, and whether it counts."""

    held: Held
    answer: Answer
    verdict: Verdict

    @property
    def counts(self) -> bool:
        """Whether the answer was kept."""
        return isinstance(self.verdict, Passed)

    def to_json(self) -> dict[str, Any]:
        """The answer as plain JSON, with why it does not count where it does not."""
        request = self.held.request
        return {
            "approval": request.id,
            "said": "approve" if self.answer.granted else "deny",
            "by": self.answer.approver,
            "counts": self.counts,
            "reasons": list(reasons_of(self.verdict)),
            "run": request.binding.run,
            "tool": request.tool,
            "arguments": request.binding.arguments,
        }


def approval_named(platform: Platform, digits: str) -> Held:
    """The one request whose id begins so; ConfigError for none, with the nearest, for several, and for few digits.

    A yes is not given by a slip of the hand: it takes four digits.
    """
    known = [(held.request.id, held) for held in platform.approvals.held()]
    return one_named("approval", digits, known, least=LEAST_DIGITS, lists="ops agent approvals")


def answer_approval(
    platform: Platform, id: str, *, granted: bool, otherwise: str, note: str = "", dry_run: bool = False
) -> Answered:
    """Answer the request with an id; what does not count says why in its verdict, and changes nothing.

    `otherwise` is who answers where no principal was added yet. NotAllowed where the token may not approve for the agent;
    ConfigError for an unknown id. With `dry_run` it is only judged.
    """
    held = approval_named(platform, id)
    who = _approver(platform, held, otherwise)
    kept = secrets_out_of(platform.project.home).text(note)
    answer = Answer(who, granted, platform.clock.wall(), kept)
    judged = Answered(held, answer, judge_answer(held, answer))
    if dry_run or not judged.counts:
        return judged
    _tell(platform, judged, APPROVES if granted else DENIES)
    counted = replace(judged, verdict=platform.approvals.answer(held.request.id, answer))
    if not counted.counts:
        _tell(platform, counted, TOO_LATE)
    return counted


def _approver(platform: Platform, held: Held, otherwise: str) -> str:
    binding = held.request.binding
    system = system_of(platform, binding.release, otherwise=held.request.requester)
    return platform.access.whoever_may(APPROVE, system, environment_of(platform, binding.run), otherwise=otherwise)


def _tell(platform: Platform, answered: Answered, action: str) -> None:
    """What is told holds no argument: the log is kept for ever, and the digest says of which call it is."""
    request, answer = answered.held.request, answered.answer
    facts = {"approval": request.id, "tool": request.tool, "run": request.binding.run, "call": request.binding.digest}
    told = {"note": answer.note} if answer.note else {}
    why = {"reasons": list(reasons_of(answered.verdict))} if not answered.counts else {}
    platform.audit.append(
        at=answer.at, actor=answer.approver, action=action, subject=request.requester, facts=facts | told | why
    )
