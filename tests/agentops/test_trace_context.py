import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.agentops.trace_context import TraceContext, format_traceparent, parse_traceparent
from ops_pipelines.core.errors import DataError

RUN, STEP = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEX = "0123456789abcdef"


@settings(deadline=None)
@given(st.text(HEX, min_size=32, max_size=32), st.text(HEX, min_size=16, max_size=16))
def test_what_is_formatted_is_read_back_unless_it_is_all_zeros(run, step):
    context = TraceContext(run, step)
    read = parse_traceparent(format_traceparent(context))
    assert read == (context if run.strip("0") and step.strip("0") else None)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello",
        f"ff-{RUN}-{STEP}-01",
        f"00-{RUN}-{STEP}",
        f"00-{RUN}-{STEP}-01-more",
        f"00-{RUN.upper()}-{STEP}-01",
        f"00-{'0' * 32}-{STEP}-01",
        f"00-{RUN}-{'0' * 16}-01",
        f"00-{RUN}{STEP}-01",
        f"00-{RUN}-{STEP}-1",
        f"00-{RUN}-{STEP}-01\n00-{RUN}-{STEP}-01",
    ],
)
def test_a_malformed_line_joins_no_run(line):
    assert parse_traceparent(line) is None


@settings(deadline=None)
@given(st.text())
def test_no_text_breaks_the_reading(text):
    parse_traceparent(text)


def test_a_later_version_of_the_standard_may_say_more():
    assert parse_traceparent(f"01-{RUN}-{STEP}-00-more") == TraceContext(RUN, STEP)


@pytest.mark.parametrize("context", [TraceContext("run-1", STEP), TraceContext(RUN, "1")])
def test_other_ids_have_no_trace_context(context):
    with pytest.raises(DataError, match=r"uuid4\(\)\.hex"):
        format_traceparent(context)
