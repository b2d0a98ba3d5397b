"""`ops agent approvals`, `approve` and `deny`: the calls that wait for a person, and that person's answer."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import REFUSED
from ops_pipelines.cli.actor import actor
from ops_pipelines.cli.agent_words import at, exact, span
from ops_pipelines.cli.output import AsJson, DryRun, show

if TYPE_CHECKING:
    from datetime import datetime

    from ops_pipelines.adapters.approvals import Answered
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.approval import Held

ApprovalId = Annotated[str, typer.Argument(help="The first digits of an approval; `ops agent approvals` lists them.")]
Note = Annotated[str, typer.Option(help="Why, for the history.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run at once.")]


def list_approvals(
    every: Annotated[bool, typer.Option("--all", help="Also those that were answered, used or have expired.")] = False,
    as_json: AsJson = False,
) -> None:
    """The calls that wait: with which arguments exactly, who asks, why, and until when a yes counts."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.approval import PENDING

    platform = Platform.embedded()
    now = platform.clock.wall()
    found = [held for held in platform.approvals.held() if every or held.state(now) == PENDING]
    if as_json or not found:
        show([_record(held, now) for held in found], title="waiting for a person", as_json=as_json)
        return
    print("\n\n".join("\n".join(_lines(held, now)) for held in found))


def approve(
    approval: ApprovalId, note: Note = "", resume: Resume = False, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Let exactly this call through, once. Exit 1 where it does not count: asked for by you, expired, answered before."""
    _answer(approval, granted=True, note=note, resume=resume, dry_run=dry_run, as_json=as_json)


def deny(
    approval: ApprovalId, note: Note = "", resume: Resume = False, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Refuse a call; its agent is told so when its run goes on. Exit 1 where it does not count, as `approve`."""
    _answer(approval, granted=False, note=note, resume=resume, dry_run=dry_run, as_json=as_json)


def _answer(approval: str, *, granted: bool, note: str, resume: bool, dry_run: bool, as_json: bool) -> None:
    from ops_pipelines.adapters.approvals import answer_approval
    from ops_pipelines.adapters.platform import Platform

    platform = Platform.embedded()
    answered = answer_approval(platform, approval, granted=granted, otherwise=actor(), note=note, dry_run=dry_run)
    record = answered.to_json()
    went_on, code = ({}, 0) if answered.counts else ({}, REFUSED)
    if resume and answered.counts and not dry_run:
        went_on, code = _gone_on(platform, answered)
    if as_json:
        show([{**record, **went_on}], as_json=True)
    else:
        print("\n".join([*_words(answered, dry_run, resume), *went_on.get("words", ())]))
    if code:
        raise typer.Exit(code)


def _gone_on(platform: "Platform", answered: "Answered") -> tuple[dict[str, Any], int]:
    """What the run came to, or why it could not go on: the answer is kept all the same."""
    from ops_pipelines.adapters.agents import agent_of_run, recording_in
    from ops_pipelines.agentops.run_named import run_of
    from ops_pipelines.cli import exit_code_of
    from ops_pipelines.cli.agent_run import exit_code, words_of
    from ops_pipelines.core.errors import OpsError

    run = run_of(answered.held.request.binding.run)
    try:
        ran = agent_of_run(platform, recording_in(platform, run)).resume(run)
    except OpsError as error:
        return {"resumed": {"error": str(error)}, "words": [f"the run did not go on: {error}"]}, exit_code_of(error)
    return {"resumed": ran.to_json(), "words": words_of(ran)}, exit_code(ran)


def _words(answered: "Answered", dry_run: bool, resume: bool) -> list[str]:
    request, said = answered.held.request, "approved" if answered.answer.granted else "denied"
    call = f"{request.tool} {exact(request.binding.arguments)}"
    if not answered.counts:
        return [f"{request.id[:12]} is not {said}: {'; '.join(answered.to_json()['reasons'])}", f"  the call:  {call}"]
    if dry_run:
        return [f"{request.id[:12]} would be {said} by {answered.answer.approver}", f"  the call:  {call}"]
    todo = [] if resume else [f"  go on:     ops agent resume {request.binding.run[:12]}"]
    return [f"{request.id[:12]} is {said} by {answered.answer.approver}", f"  the call:  {call}", *todo]


def _lines(held: "Held", now: "datetime") -> list[str]:
    """A request for people: the call stands whole in a line of its own, since it is what they answer for."""
    from ops_pipelines.agentops.approval import PENDING

    request, state = held.request, held.state(now)
    began = f", which {exact(request.started_by)} started," if request.started_by else ","
    left = f", for {span(request.expires_at - now)} more" if state == PENDING else ""
    lines = [
        f"{request.id[:12]}  {state}{left}",
        f"  the call:   {request.tool} {exact(request.binding.arguments)}",
        f"  asked by:   {exact(request.requester)} in the run {request.binding.run[:12]}{began} at {at(request.asked_at)}",
        f"  because:    {exact(request.reason)}",
    ]
    if held.answer:
        said = "approved" if held.answer.granted else "denied"
        lines.append(f"  {said} by: {held.answer.approver} at {at(held.answer.at)}  {exact(held.answer.note)}".rstrip())
    return lines


def _record(held: "Held", now: "datetime") -> dict[str, Any]:
    answer = held.answer
    said = {"by": answer.approver, "granted": answer.granted, "at": answer.at, "note": answer.note} if answer else None
    bound = {"call": held.request.binding.digest, "used_at": held.used_at}
    shown = held.request.to_json()
    arguments = json.loads(held.request.binding.arguments)
    return {**shown, "arguments": arguments, "state": held.state(now), "answer": said, **bound}
