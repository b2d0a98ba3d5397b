"""Runs drawn as text for other programs: nothing that an agent wrote is taken for markup."""

import json
from xml.etree import ElementTree

from ops_pipelines.agentops.run_log import AGENT, MESSAGE
from ops_pipelines.agentops.trace_drawing import dot, mermaid, page
from ops_pipelines.agentops.trace_graph import trace_graph
from ops_pipelines.testing.run_log import entry_of

HOSTILE = '<script>"]; alert(1)</script>'


def label(step):
    return f"{step.kind} {step.name}"


def a_graph():
    root = entry_of("reader", kind=AGENT).step
    read = entry_of(HOSTILE, parent=root.id).step
    told = entry_of("writer", kind=MESSAGE, parent=root.id, links=(read.id,)).step
    return trace_graph([root, read, told])


def test_a_page_is_whole_in_itself_and_holds_names_as_text():
    drawn = page(a_graph(), label, title="Run <1>", told="it cost nothing")
    assert "<script>" not in drawn
    assert "default-src 'none'" in drawn
    svg = ElementTree.fromstring(drawn[drawn.index("<svg") : drawn.index("</svg>") + 6])
    texts = [one.text for one in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["agent reader", f"tool {HOSTILE}", "message writer"]


def test_messages_are_drawn_apart_from_calls():
    assert mermaid(a_graph(), label).splitlines()[-1] == "    s1 -. told .-> s2"
    assert dot(a_graph(), label).count("[style=dashed]") == 1
    assert page(a_graph(), label, title="", told="").count("stroke-dasharray") == 1


def test_names_are_quoted_as_each_form_wants_them():
    assert json.dumps(f"tool {HOSTILE}") in dot(a_graph(), label)
    assert "<script>" not in mermaid(a_graph(), label)
    assert '"];' not in mermaid(a_graph(), label)
