"""D23: an agent's keys and its customers' data lie in its traces and its queues, where everybody looks.

A tracer keeps what it is given: arguments, results, the text of exceptions, and the names of spans. Masks that know some
fields miss the others. A queue of approvals and a journal of effects keep each call as it was made.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.apps.drills.drill import Drill, Outcome

if TYPE_CHECKING:
    from ops_pipelines.adapters.agents import OpenAgent
    from ops_pipelines.agentops.run_state import Ran
    from ops_pipelines.agentops.session import Session
    from ops_pipelines.agentops.tool_function import ToolFunction

KEY = "sk-" + "live-9f8K2mQxT7vRw3ZbN6pLc4Yd"
SECRETS = {
    "in an argument": KEY,
    "in a nested result": "ghp_" + "Zk3vQ9xT2mLp7RwB4nYcA8dE6fG1hJ5sU0oK",
    "in an exception": "postgresql://ops:" + "correct-horse@db.example.org/runs",
    "in a name": "ada.lovelace@example.org",
    "under a telling name": "hunter-" + "two",
}
"""What must not be on the disk, by where the agent has it."""
POLICY = """
@id("reads and writes") permit(principal, action, resource) when { ["read", "write"].contains(resource.effect) };
@id("money is approved")
permit(principal, action, resource) when { resource.effect == "money" && context.approved };
"""
_PASSWORDS = ("correct-horse",)


def unguarded(folder: Path) -> Outcome:
    """What a team writes: OpenTelemetry's own tracer with its exporter to a file, and a table of what waits for a person."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    with (folder / "traces.json").open("w") as file:
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=file)))
        tracer = provider.get_tracer("agent")
        with tracer.start_as_current_span(f"mail {SECRETS['in a name']}") as span:
            span.set_attribute("input.value", json.dumps(_arguments()))
            span.set_attribute("output.value", json.dumps(_result()))
        try:
            with tracer.start_as_current_span("connect"):
                _fail()
        except ConnectionError:
            pass
        provider.shutdown()
    with closing(sqlite3.connect(folder / "waiting.db")) as queue, queue:
        queue.execute("CREATE TABLE approvals (tool TEXT, arguments TEXT, state TEXT)")
        queue.execute("INSERT INTO approvals VALUES ('wire', ?, 'denied')", (json.dumps(_arguments()),))
    found, kept = _on_disk(folder), _on_disk(folder, "waiting.db")
    return Outcome(
        harmed=len(found) == len(SECRETS) and bool(kept),
        caught=False,
        reason=f"{len(found)} of {len(SECRETS)} secrets are in the traces, {len(kept)} in what was denied",
        evidence={"found": found, "in the queue": kept},
    )


def guarded(folder: Path) -> Outcome:
    """The same agent as it runs here, through the gate: read, denied, approved, refused, failed; then every file is read."""
    agent = _agent(folder)
    ran = _to_its_end(agent)
    platform, found = agent.platform, _on_disk(folder)
    decisions, effects = platform.decisions.decisions(ran.run), platform.effects.entries()
    steps = platform.runs.steps(ran.run)
    told = {step.name for step in steps if "[redacted email" in step.name}
    kept = [one.arguments for one in decisions] + [entry.intent.arguments for entry in effects]
    return Outcome(
        harmed=bool(found) or ran.result != _RESULTS,
        caught=bool(told) and sum("[redacted" in one for one in kept) >= len(_RESULTS),
        reason=f"the run log holds: {', '.join(sorted(told))}; the gate's files: {', '.join(sorted(set(kept)))}",
        evidence={"found": found, "came to": ran.result, "decisions": len(decisions), "effects": len(effects)},
    )


DRILL = Drill(
    number="D23",
    name="secrets in traces",
    incident="keys and personal data that an agent handled lay in its traces, in places that no mask knew",
    source="Arize-ai/openinference#1170",
    names="[redacted email",
    unguarded=unguarded,
    guarded=guarded,
)


_RESULTS = {
    "look": "done",
    "send": "done",
    "sync": "unknown",
    "connect": "denied",
    "wipe": "denied",
    "wire": "denied",
    "wire again": "done",
    "look at what is invalid": "denied",
}
"""What each call comes to, by the tool that its name begins with."""


def _agent(folder: Path) -> "OpenAgent":
    from ops_pipelines.testing.open_agents import Desk, agent_at, platform_in

    class Mailer(Desk):
        def tools(self) -> "list[ToolFunction]":
            return _tools()

    return agent_at(platform_in(folder), Mailer(), _program, policy=POLICY)


def _tools() -> "list[ToolFunction]":
    from ops_pipelines.agentops.tool_function import tool_of

    def look(text: str, password: str) -> dict[str, Any]:
        """A result with a secret in it."""
        return _result(text, password)

    def send(text: str, password: str) -> dict[str, Any]:
        """An effect whose result has a secret in it."""
        return _result(text, password)

    def wire(text: str, password: str) -> dict[str, Any]:
        """An effect that a person is asked about."""
        return _result(text, password)

    def wipe(text: str, password: str) -> dict[str, Any]:
        """What no policy permits."""
        return _result(text, password)

    def connect(address: str) -> None:
        """A read that fails with a secret in its words."""
        _fail(address)

    def sync(address: str) -> None:
        """An effect that fails so."""
        _fail(address)

    effects = {look: "read", send: "write", wire: "money", connect: "read", sync: "write", wipe: "destructive"}
    return [tool_of(function, effect=effect) for function, effect in effects.items()]


def _program(session: "Session") -> dict[str, str]:
    """Calls each tool with secrets, and notes what came of each."""
    address = {"address": SECRETS["in an exception"]}
    calls: dict[str, dict[str, Any]] = dict.fromkeys(("look", "send", "wipe", "wire", "wire again"), _arguments())
    invalid = {**_arguments(), "password": [SECRETS["under a telling name"]]}
    calls |= {"sync": address, "connect": address, "look at what is invalid": invalid}
    session.decide(f"mail {SECRETS['in a name']}", KEY)
    session.remember("key", _arguments(), source="user")
    return {name: session.tool(name.split()[0], **given).to_json()["status"] for name, given in calls.items()}


def _to_its_end(agent: "OpenAgent") -> "Ran":
    """The run, of which a person denies the first call that waits, and approves the second."""
    from ops_pipelines.agentops.run_state import WAITING
    from ops_pipelines.testing.open_agents import answer_all

    ran, granted = agent.start(_arguments()), False
    while ran.state == WAITING:
        answer_all(agent, granted=granted)
        ran, granted = agent.resume(ran.run), True
    return ran


def _arguments() -> dict[str, Any]:
    return {"text": f"use {KEY} for it", "password": SECRETS["under a telling name"]}


def _result(*_: str) -> dict[str, Any]:
    return {"rows": [{"note": ["token", {"is": SECRETS["in a nested result"]}]}]}


def _fail(*_: str) -> None:
    raise ConnectionError(f"no answer from {SECRETS['in an exception']}")


def _on_disk(folder: Path, files: str = "*") -> list[str]:
    """Where the agent had the secrets that lie in any of some files."""
    content = b"".join(file.read_bytes() for file in folder.rglob(files) if file.is_file())
    telling = {**SECRETS, "in an exception": _PASSWORDS[0]}
    return [where for where, secret in telling.items() if secret.encode() in content]
