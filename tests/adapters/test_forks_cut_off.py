"""Forks that were cut off, or that go on with another policy."""

import pytest

from ops_pipelines.adapters.fork_edits import edit_of
from ops_pipelines.agentops.fork import NewRequest
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.testing.open_agents import Desk, agent_at, of_program, platform_in

FORK = "e" * 32


class Died(BaseException):
    """A process that ends here."""


@pytest.fixture
def platform(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return platform_in(tmp_path)


@pytest.fixture
def desk():
    return Desk()


def judging(ask, *, before=lambda: None):
    def program(session):
        session.tool("note", text="first")
        before()
        session.tool("note", text="second")
        return session.model("m", "judge", ask)

    return program


def dies(*_):
    raise Died


@pytest.mark.parametrize("dying", [judging(dies), judging(str, before=dies)], ids=["at its edit", "before it"])
def test_a_fork_that_died_before_it_was_edited_does_not_go_on_without_its_edit(platform, desk, dying):
    clerk = agent_at(platform, desk, judging(str))
    ran = clerk.start({})
    with pytest.raises(Died):
        of_program(clerk, dying).fork(ran.run, at=3, edit=NewRequest("judge kindly"), id=FORK)
    with pytest.raises(NotAllowed, match="was cut off before"):
        clerk.resume(FORK, anyway=True)
    assert (desk.done, platform.approvals.held()) == (["first", "second"], ())


def test_a_fork_that_died_after_its_edit_goes_on_with_it(platform, desk):
    asked = []

    def program(session):
        said = session.model("m", "judge", lambda request: asked.append(request) or request)
        return session.model("m", f"sum up {said}", later)

    later = str
    clerk = agent_at(platform, desk, program)
    ran = clerk.start({})
    later = dies
    with pytest.raises(Died):
        clerk.fork(ran.run, at=1, edit=NewRequest("judge kindly"), id=FORK)
    later = str
    assert clerk.resume(FORK, anyway=True).result == "sum up judge kindly"
    assert asked == ["judge", "judge kindly"]


def test_a_page_that_the_policy_of_a_fork_does_not_show_is_not_looked_at_for_its_edit(platform, desk):
    clerk = agent_at(platform, desk, lambda session: session.tool("page", name="a").to_json()["status"])
    recording = clerk.recording(clerk.start({}).run)
    blind = Policy({"blind": '@id("no") permit(principal, action, resource) when { resource.effect == "write" };'})
    edit = edit_of(clerk, recording, 1, {"request": {"name": "b"}}, run=FORK, policy=blind)
    forked = clerk.fork(recording.run, at=1, edit=edit, policy=blind, id=FORK)
    assert (desk.looked, forked.result["result"]) == (["a"], "denied")
