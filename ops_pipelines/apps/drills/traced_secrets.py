"""D23: an agent's keys and its customers' data lie in its traces, where everybody looks.

A tracer keeps what it is given: arguments, results, the text of exceptions, and the names of spans. Masks that know some
fields miss the others.
"""

import json
from pathlib import Path
from typing import Any

from ops_pipelines.apps.drills.drill import Drill, Outcome

KEY = "sk-" + "live-9f8K2mQxT7vRw3ZbN6pLc4Yd"
SECRETS = {
    "in an argument": KEY,
    "in a nested result": "ghp_" + "Zk3vQ9xT2mLp7RwB4nYcA8dE6fG1hJ5sU0oK",
    "in an exception": "postgresql://ops:" + "correct-horse@db.example.org/runs",
    "in a name": "ada.lovelace@example.org",
    "under a telling name": "hunter-" + "two",
}
"""What must not be on the disk, by where the agent has it."""
_PASSWORDS = ("correct-horse",)


def unguarded(folder: Path) -> Outcome:
    """What a team writes: OpenTelemetry's own tracer with its exporter to a file."""
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
    found = _on_disk(folder)
    return Outcome(
        harmed=len(found) == len(SECRETS),
        caught=False,
        reason=f"{len(found)} of {len(SECRETS)} secrets are in the traces",
        evidence={"found": found},
    )


def guarded(folder: Path) -> Outcome:
    """The same agent by the recorder, whose writer takes them out before the run log's disk."""
    from ops_pipelines.adapters.secret_scan import find_secrets
    from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
    from ops_pipelines.agentops.recording import Live, StepFailed, Tape, Writer
    from ops_pipelines.agentops.redaction import Redactor
    from ops_pipelines.testing.agent_program import ticking

    log = SQLiteRunLog(folder / "log" / "runs.db")
    scope = Tape("d23" + "0" * 29, Live(ticking()), Writer(log.append, Redactor(find_secrets))).begin("mailer")
    answered = scope.tool(f"mail {SECRETS['in a name']}", _arguments(), _result)
    try:
        scope.tool("connect", {}, _fail)
    except StepFailed as failed:
        scope.decide("give up", failed.message)
    steps, found = log.steps(scope.run), _on_disk(folder)
    return Outcome(
        harmed=bool(found) or answered != _result(),
        caught=len(steps) == 4
        and all("[redacted" in text for text in (steps[1].name, steps[2].error, steps[3].decision)),
        reason=f"the run log holds: {steps[1].name}; {steps[2].error}",
        evidence={"found": found, "steps": len(steps)},
    )


DRILL = Drill(
    number="D23",
    name="secrets in traces",
    incident="keys and personal data that an agent handled lay in its traces, in places that no mask knew",
    source="Arize-ai/openinference#1170",
    names="[redacted email]",
    unguarded=unguarded,
    guarded=guarded,
)


def _arguments() -> dict[str, Any]:
    return {"text": f"use {KEY} for it", "password": SECRETS["under a telling name"]}


def _result() -> dict[str, Any]:
    return {"rows": [{"note": ["token", {"is": SECRETS["in a nested result"]}]}]}


def _fail() -> None:
    raise ConnectionError(f"no answer from {SECRETS['in an exception']}")


def _on_disk(folder: Path) -> list[str]:
    """Where the agent had the secrets that lie in any file."""
    content = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    telling = {**SECRETS, "in an exception": _PASSWORDS[0]}
    return [where for where, secret in telling.items() if secret.encode() in content]
