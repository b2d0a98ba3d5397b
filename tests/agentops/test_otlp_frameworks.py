"""Spans as a framework makes them: pydantic-ai's own, through OpenTelemetry's own SDK."""

import asyncio

import pytest

from ops_pipelines.agentops.otlp import import_spans
from ops_pipelines.agentops.otlp_export import attribute
from ops_pipelines.agentops.run_log import AGENT, MODEL, TOOL, Tally
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.trace_graph import trace_graph


@pytest.fixture
def spans():
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from pydantic_ai import Agent
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.models.test import TestModel

    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
    agent = Agent(TestModel(), name="desk")
    agent.tool_plain(drift_report)
    asyncio.run(agent.run("What of week 25?"))
    Agent.instrument_all(False)
    return kept.get_finished_spans()


def drift_report(week: int) -> str:
    """Reads a report."""
    return f"fine {week}"


def as_otlp(span):
    """A span of the SDK as its exporter writes it."""
    parent = {"parentSpanId": f"{span.parent.span_id:016x}"} if span.parent else {}
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in span.attributes.items()}
    return {
        "traceId": f"{span.context.trace_id:032x}",
        "spanId": f"{span.context.span_id:016x}",
        **parent,
        "name": span.name,
        "startTimeUnixNano": str(span.start_time),
        "endTimeUnixNano": str(span.end_time),
        "attributes": [attribute(name, value) for name, value in given.items()],
    }


@pytest.mark.long
def test_a_run_of_pydantic_ai_comes_in_as_one_graph_with_its_agent_models_and_tools(spans):
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [as_otlp(span) for span in spans]}]}]}
    found = import_spans(request, Writer(lambda entries: Tally(len(entries))))
    steps = [entry.step for entry in found.entries]
    assert sorted((step.kind, step.name, step.agent) for step in steps) == [
        (AGENT, "desk", "desk"),
        (MODEL, "test", "desk"),
        (MODEL, "test", "desk"),
        (TOOL, "drift_report", "desk"),
    ]
    assert (found.rejected, trace_graph(steps).is_whole) == ((), True)
    assert all(step.tokens for step in steps if step.kind == MODEL)
    (tool,) = (entry for entry in found.entries if entry.step.kind == TOOL)
    assert [payload.shown() for payload in tool.payloads][1] == "fine 0"
