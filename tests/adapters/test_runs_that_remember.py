"""What agents remember from run to run, in the store of a home: who wrote it, who read it, and how it is put right."""

from dataclasses import replace

import pytest

from ops_pipelines.agentops.memory import MemoryScope, Suspect, held, roll_back, spread_of
from ops_pipelines.agentops.recording import StepFailed
from ops_pipelines.agentops.run_log import MEMORY_READ, MEMORY_WRITE
from ops_pipelines.agentops.run_state import DONE
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.open_agents import Desk, agent_at, of_program, platform_in

TRACED = """
@id("all") permit(principal, action, resource);
@id("no order is a stranger's word")
forbid(principal, action, resource) when { resource.effect == "money" && context.tainted.contains("id") };
"""
OWN = MemoryScope("acme", "clerk")


@pytest.fixture
def platform(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return platform_in(tmp_path)


@pytest.fixture
def clerk(platform):
    agent = agent_at(platform, Desk(), lambda session: None, policy=TRACED, tenant="acme")
    return lambda program: of_program(agent, program)


def keep(key, value, *, source="user", of="agent"):
    return lambda session: session.remember(key, value, source=source, of=of)


def test_what_one_run_remembers_the_next_one_recalls_and_names_the_version(clerk, platform):
    clerk(keep("zone", "utc")).start({})
    clerk(keep("tone", "kind", of="tenant")).start({})
    ran = clerk(lambda session: dict(session.recall())).start({})
    (read,) = [step for step in platform.runs.steps(ran.run) if step.kind == MEMORY_READ]
    assert ran.result == {"zone": "utc", "tone": "kind"}
    assert read.memory_version == "acme@1,acme/clerk@1"


def test_a_change_says_who_wrote_it_from_what_in_which_run_and_step(clerk, platform):
    ran = clerk(keep("mail", "to bob@acme.example", source="tool:page")).start({})
    (change,) = platform.memory.changes(OWN)
    (step,) = [step for step in platform.runs.steps(ran.run) if step.kind == MEMORY_WRITE]
    assert (change.writer, change.source, change.run, change.step) == ("clerk", "tool:page", ran.run, step.id)
    assert (step.memory_version, "bob@" in change.value) == ("acme/clerk@1", False)


def test_what_a_run_remembers_for_itself_no_other_one_sees(clerk):
    def program(session):
        session.remember("seen", ["a"], source="user", of="run")
        return [dict(session.recall(of="run")), dict(session.recall())]

    assert clerk(program).start({}).result == [{"seen": ["a"]}, {}]
    assert clerk(lambda session: dict(session.recall(of="run"))).start({}).result == {}


def paying(session):
    order = session.recall()["order"]
    return session.tool("pay", order=order, amount_cents=1).to_json()["status"]


@pytest.mark.parametrize(("source", "comes"), [("user", "done"), ("tool:order", "done"), ("tool:page", "denied")])
def test_what_is_recalled_is_trusted_as_its_source_is(clerk, source, comes):
    clerk(keep("order", "A17", source=source)).start({"order": "A17"})
    assert clerk(paying).start({}).result == comes


def test_what_an_agent_made_up_is_nobodys_word_whatever_it_says_of_its_source(clerk, platform):
    clerk(keep("order", "A66", source="user")).start({"order": "A17"})
    assert platform.memory.changes(OWN)[0].source == "user in the agent's words"
    assert clerk(paying).start({}).result == "denied"


def test_a_run_that_has_read_strangers_words_remembers_nothing_as_the_users(clerk, platform):
    def program(session):
        session.tool("page", name="evil")
        session.remember("order", "EVIL99", source="user")

    clerk(program).start({})
    assert platform.memory.changes(OWN)[0].source == "user in the agent's words after reading page"
    assert clerk(paying).start({}).result == "denied"


class Loses:
    """A run log that is down for one step, once."""

    def __init__(self, log, name):
        self._log, self._name = log, name

    def __getattr__(self, name):
        return getattr(self._log, name)

    def append(self, entries):
        if any(entry.step.name == self._name for entry in entries):
            self._name = ""
            raise DataError("The log is down", expected="one that is up", action="Mend it")
        return self._log.append(entries)


def test_a_run_whose_log_fails_after_it_has_remembered_goes_on_and_remembers_once(clerk, platform):
    def program(session):
        for value in (1, 2, 1):
            session.remember("a", value, source="user")
        return dict(session.recall())

    run, agent = "a" * 32, clerk(program)
    agent = replace(agent, platform=replace(platform, runs=Loses(platform.runs, "a 3")))
    with pytest.raises(DataError):
        agent.start({}, run=run)
    ran = agent.resume(run, anyway=True)
    assert (ran.state, ran.result, len(platform.memory.changes(OWN))) == (DONE, {"a": 1}, 3)
    assert agent.replay(run).identical


def test_a_fork_recalls_and_remembers_nothing_new(clerk, platform):
    def program(session):
        session.remember("a", 1, source="user")
        session.tool("order", id="A17")
        try:
            session.remember("b", session.settings.get("b", 2), source="user")
        except StepFailed as failed:
            return failed.message
        return dict(session.recall())

    ran = clerk(program).start({})

    def otherwise(session):
        session.remember("a", 1, source="user")
        session.tool("order", id="B18")
        with pytest.raises(StepFailed, match="may not remember"):
            session.remember("c", 3, source="user")
        return dict(session.recall())

    fork = clerk(otherwise).fork(ran.run, at=2)
    assert (ran.result, fork.result["result"]) == ({"a": 1, "b": 2}, {"a": 1, "b": 2})
    assert len(platform.memory.changes(OWN)) == 2


def test_poison_is_found_with_what_it_led_to_and_rolled_back(clerk, platform):
    def hands_on(session):
        session.remember("tip", f"as {session.recall()['owner']} says", source="user")

    clerk(keep("owner", "ada")).start({})
    clerk(keep("owner", "mallory", source="tool:page")).start({})
    led = clerk(hands_on).start({})
    clerk(keep("week", 25)).start({})
    histories = {scope: platform.memory.changes(scope) for scope in platform.memory.scopes("acme")}
    steps = [step for change in histories[OWN] for step in platform.runs.steps(change.run)]
    bad = spread_of(histories, steps, Suspect(source="tool:page"))
    assert bad == {OWN: {2, 3}}
    assert [change.run for change in histories[OWN]][2] == led.run
    undone = roll_back(histories[OWN], bad[OWN], writer="ops", at=platform.clock.wall(), reason="poisoned")
    platform.memory.append(OWN, undone, expected=len(histories[OWN]))
    assert held(platform.memory.changes(OWN)) == {"owner": "ada", "week": 25}
    assert clerk(lambda session: dict(session.recall())).start({}).result == {"owner": "ada", "week": 25}


def test_a_run_replays_with_what_it_recalled_then(clerk, platform):
    clerk(keep("zone", "utc")).start({})
    reads = clerk(lambda session: dict(session.recall()))
    ran = reads.start({})
    clerk(keep("zone", "cet")).start({})
    replayed = reads.replay(ran.run)
    assert (replayed.identical, replayed.result["result"]) == (True, {"zone": "utc"})
