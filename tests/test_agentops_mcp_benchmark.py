"""What the benchmark of the MCP door does; whether a bound on time holds is no test."""

from benchmarks import agentops_mcp


def test_every_way_to_the_tool_comes_to_what_the_tool_returns():
    rows = list(agentops_mcp._rows(2))
    assert [row.note.startswith("void") for row in rows] == [False] * 3
    assert all(row.ours and row.peer for row in rows)
