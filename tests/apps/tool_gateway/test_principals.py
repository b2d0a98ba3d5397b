import pytest

from ops_pipelines.adapters.access import new_token
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.apps.tool_gateway.principals import principals_of
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.core.principal import Grant, add, revoke, token_digest


@pytest.fixture
def platform(empty_project):
    return Platform.embedded(find_project(empty_project))


def added(platform, name, *roles):
    """The token of a new principal."""
    token, known, now = new_token(), platform.principals.everybody(), platform.clock.wall()
    grants = [Grant(role) for role in roles]
    platform.principals.register(add(known, name, grants, digest=token_digest(token), by="ada", at=now))
    return token


def test_a_token_is_of_the_principal_who_may_have_the_agent_act_and_of_none_once_it_is_revoked(platform):
    added(platform, "ada", "admin")
    token, principal_of = added(platform, "anna", "proposer"), principals_of(platform, "oncall", "production")
    assert principal_of(token) == "anna"
    everybody, now = platform.principals.everybody(), platform.clock.wall()
    platform.principals.register(revoke(everybody, "anna", by="ada", at=now))
    with pytest.raises(NotAllowed, match="was revoked by ada"):
        principal_of(token)


def test_a_token_of_nobody_and_of_somebody_without_the_role_do_not_count(platform):
    added(platform, "ada", "admin")
    token, principal_of = added(platform, "carl", "approver"), principals_of(platform, "oncall", "production")
    for bad, why in (
        (token, "carl may not have oncall act"),
        (new_token(), "no principal has it"),
        ("", "no principal has it"),
    ):
        with pytest.raises(NotAllowed) as refused:
            principal_of(bad)
        assert refused.value.wrong == why


def test_where_no_principal_was_added_a_token_tells_nobody_apart(platform):
    assert principals_of(platform, "oncall", "production")(new_token()) == ""
