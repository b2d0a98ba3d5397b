"""D26: the spans that matter most, the ones with the whole document in them, are the ones that nobody finds.

A collector refuses what is over its limit, an exporter says so to nobody, and the agent goes on. A tool that returns a
hundred megabytes is not in the trace at all.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.apps.drills.drill import Drill, Outcome

if TYPE_CHECKING:
    from ops_pipelines.agentops.run_log import Entry, RunLog, Tally

SIZE, LIMIT = 100_000_000, 1_000_000
"""Bytes of what the tool returns, and those that a collector, or our log, takes."""
WORD = "evidence "
RUN = "d26" + "0" * 29


def unguarded(folder: Path) -> Outcome:
    """OpenTelemetry's tracer, with an exporter to a collector that has a limit."""
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

    stored = folder / "stored.txt"
    stored.touch()

    class ToCollector(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            if sum(len(str((span.attributes or {}).get("output.value", ""))) for span in spans) > LIMIT:
                return SpanExportResult.FAILURE
            with stored.open("a") as file:
                file.writelines(f"{span.name}\n" for span in spans)
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ToCollector()))
    sent = {"small": "fine", "big": _big(), "last": "fine"}
    for name, value in sent.items():
        with provider.get_tracer("agent").start_as_current_span(name) as span:
            span.set_attribute("output.value", value)
    found = stored.read_text().split()
    lost = sorted(set(sent) - set(found))
    return Outcome(
        harmed=lost == ["big"],
        caught=False,
        reason=f"{len(sent)} spans were sent, {len(found)} are stored, and nobody was told of: {', '.join(lost)}",
        evidence={"sent": len(sent), "stored": len(found)},
    )


def guarded(folder: Path) -> Outcome:
    """The same results by the recorder, and one step that the log has to reject."""
    from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog

    log = SQLiteRunLog(folder / "log" / "runs.db")
    sent, tallies = _record(log)
    accepted, rejected = sum(tally.accepted for tally in tallies), [one for tally in tallies for one in tally.rejected]
    steps = log.steps(RUN)
    (big,) = [step for step in steps if step.name == "big"]
    size, reason = _kept(log, big.outputs)
    bytes_on_disk = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Outcome(
        harmed=accepted + len(rejected) != sent or len(steps) != accepted,
        caught=size == SIZE + 2 and big.outputs == _digest() and bytes_on_disk < 10 * LIMIT and len(rejected) == 1,
        reason=reason,
        evidence={"sent": sent, "accepted": accepted, "rejected": [why for _, why in rejected]},
    )


DRILL = Drill(
    number="D26",
    name="dropped spans",
    incident="spans over a size were dropped without a word, so that the biggest results were in no trace",
    source="langfuse/langfuse#1676",
    names="was shortened from 100,000,002 bytes",
    unguarded=unguarded,
    guarded=guarded,
)


def _record(log: "RunLog") -> "tuple[int, list[Tally]]":
    """How many entries were sent to a log, and what it said to each."""
    from ops_pipelines.agentops.recording import Live, Tape
    from ops_pipelines.agentops.step_writer import Writer
    from ops_pipelines.testing.agent_program import ticking
    from ops_pipelines.testing.run_log import entry_of

    sent, tallies = 0, []

    def keep(entries: "Sequence[Entry]") -> "Tally":
        nonlocal sent
        sent += len(entries)
        tallies.append(log.append(entries))
        return tallies[-1]

    scope = Tape(RUN, Live(ticking()), Writer(keep, limit_bytes=LIMIT)).begin("reader")
    for name, value in {"small": "fine", "big": _big(), "last": "fine"}.items():
        scope.tool(name, {}, lambda value=value: value)
    keep([entry_of(run=RUN, kind="a kind that nobody knows")])
    return sent, tallies


def _kept(log: "RunLog", digest: str) -> tuple[int, str]:
    """How big the result was, and what the log says to whoever wants the whole of it."""
    from ops_pipelines.core.errors import DataError

    payload = log.payload(digest)
    if payload is None:
        return 0, "the result is missing"
    try:
        return payload.size, f"the whole of it is there: {payload.value()!r:.40}"
    except DataError as shortened:
        return payload.size, str(shortened)


def _digest() -> str:
    from ops_pipelines.core.fingerprint import digest_json

    return digest_json(_big())


def _big() -> str:
    return (WORD * (SIZE // len(WORD) + 1))[:SIZE]
