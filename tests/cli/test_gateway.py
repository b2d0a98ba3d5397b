"""What `ops gateway` refuses before it serves; that it serves is shown by the page about MCP."""


def test_a_gateway_is_of_a_file_or_of_an_agent(ops):
    assert ops("gateway").code == 2
    assert ops("gateway", "gateway.yaml", "--agent", "oncall").code == 2


def test_a_file_that_is_not_there_is_wrong_usage(ops):
    said = ops("gateway", "gateway.yaml")
    assert said.code == 2
    assert "gateway.yaml cannot be used" in said.err


def test_an_agent_that_has_no_live_release_is_not_served(ops):
    assert ops("gateway", "--agent", "nobody").code == 2
