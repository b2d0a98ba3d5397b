"""An agent's release made ready to act: its program and its tools found, its gate before them, its log behind it.

What is opened is what was released: where the code or the tools that are installed here are others, nothing is opened.
"""

import uuid
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from ops_pipelines.adapters.agent_code import code_of, differs_here
from ops_pipelines.adapters.agent_place import environment_of_run
from ops_pipelines.adapters.nothing_live import nothing_live
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.redactors import redactor_of
from ops_pipelines.adapters.run_lock import run_held
from ops_pipelines.adapters.workbench import Workbench
from ops_pipelines.agentops.agent import Agent, read_agent
from ops_pipelines.agentops.breaker import Breaker
from ops_pipelines.agentops.conductor import Acting, Conductor
from ops_pipelines.agentops.foreign_steps import keep_foreign
from ops_pipelines.agentops.fork import Edit, Forked, ForkSettings, check_is_whole, effects_left, fork
from ops_pipelines.agentops.fork_policy import asking, policy_noted, policy_to_note
from ops_pipelines.agentops.gate_parts import Parts, Run
from ops_pipelines.agentops.gated import tools_of
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.replay import Replayed, first_of, fork_note, replay
from ops_pipelines.agentops.run_log import EFFECT_KINDS, TOOL, Recording, Step, recording_of
from ops_pipelines.agentops.run_state import (
    RUNNING,
    STOPPED,
    WAITING,
    NotResumable,
    Ran,
    is_untrusted,
    state_of,
    who_started,
)
from ops_pipelines.agentops.spend import Purse
from ops_pipelines.agentops.step_writer import NotKept, Writer
from ops_pipelines.agentops.stepping import stepped
from ops_pipelines.agentops.tool_function import DoesTool
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.core.composite import compose
from ops_pipelines.core.errors import ConfigError, DataError, NotAllowed, ReleaseError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.principal import PROPOSE
from ops_pipelines.core.release import Manifest, find_release
from ops_pipelines.mlops.training import import_function


@dataclass(frozen=True, slots=True)
class OpenAgent:
    """An agent that is ready to act, as a release; `functions` do its tools by name."""

    platform: Platform
    manifest: Manifest
    agent: Agent
    functions: Mapping[str, Callable[[Mapping[str, Any]], Any]]
    program: Acting
    environment: str = PRODUCTION

    @property
    def name(self) -> str:
        """The system that it is."""
        return self.manifest.system

    def start(self, task: Any, *, run: str = "", parent: str = "", trusted: bool = True) -> Ran:
        """A new run with a task; see `Conductor.start`. NotAllowed where the token may not let this agent propose."""
        who = self.started_by()
        new = run or uuid.uuid4().hex
        conductor = self.conductor(who)
        with self._alone(new):
            self._check_not_begun(new, conductor.first_step(parent))
            return conductor.start(new, task, parent=parent, trusted=trusted)

    def resume(self, run: str, *, anyway: bool = False) -> Ran:
        """A run that waited or was cut off goes on; NotAllowed for one that has ended, or is running.

        `anyway` resumes one that seems to be running, where somebody knows that its process is gone; one whose process is
        alive on this machine is refused all the same. A fork goes on with the policy that it was made with.
        """
        with self._alone(run):
            return self.resume_held(run, anyway=anyway)

    def resume_held(self, run: str, *, anyway: bool = False) -> Ran:
        """The same for whoever holds the run already, by `run_held`."""
        self._check_may_act()
        recording = self.recording(run)
        self.check_may_go_on(recording, anyway=anyway)
        note, conductor = fork_note(recording), self.conductor(self._who_started(recording))
        if not note:
            return conductor.resume(recording, by=uuid.uuid4().hex)
        policy = asking(policy_noted(note, self.agent.policy))
        conductor = replace(conductor, gate_of=partial(conductor.gate_of, policy=policy))
        parent = self.recording(str(note["of"]))
        check_is_whole(recording, parent)
        effects = effects_left(recording, parent, self._is_effect)
        return conductor.resume(recording, by=uuid.uuid4().hex, effects=effects)

    def replay(self, run: str) -> Replayed:
        """The run again from what was recorded, with sockets and processes refused; errors as `replay`."""
        conductor, recording = self.conductor(), self.recording(run)
        with nothing_live():
            return replay(recording, conductor.replayed(recording), writer=conductor.writer)

    def stepped(self, run: str) -> Generator[Step, None, Any]:
        """The replay one step at a time, with sockets and processes refused while it goes; errors as `replay`."""
        conductor, recording = self.conductor(), self.recording(run)
        with nothing_live():
            return (yield from stepped(recording, conductor.replayed(recording), writer=conductor.writer))

    def fork(
        self, run: str, *, at: int, edit: Edit | None = None, policy: Policy | None = None, id: str = ""
    ) -> Forked:
        """The run up to a step, an edit there, and live from then on; every new effect waits for a person.

        `policy` is another one to go on with. Errors as `fork`.
        """
        who = self.started_by()
        conductor, new, recording = self.conductor(who), id or uuid.uuid4().hex, self.recording(run)
        settings = ForkSettings(
            now=self.platform.clock.wall,
            gate=_through_the_tool_gate,
            is_effect=self._is_effect,
            noted=policy_to_note(policy) if policy else {},
        )
        policy_now = asking(policy or self.agent.policy)
        gate = self.gate(new, self.platform.clock.wall(), policy=policy_now, started_by=who)
        program = conductor.forked(new, gate, trusted=not is_untrusted(recording))
        with self._alone(new):
            return fork(
                recording,
                program,
                at=at,
                run=new,
                writer=conductor.opening(new, parent=first_of(recording).parent),
                settings=settings,
                edit=edit,
                release=self.manifest.digest,
            )

    def recording(self, run: str) -> Recording:
        """A run of this agent as it was kept; DataError where there is none."""
        return recording_in(self.platform, run)

    def conductor(self, started_by: str = "") -> Conductor:
        """What its runs go by, that some principal starts."""
        return Conductor(
            agent=self.name,
            release=self.manifest.digest,
            program=self.program,
            settings=self.agent.settings,
            gate_of=partial(self.gate, started_by=started_by),
            writer=writer_of(self.platform),
            now=self.platform.clock.wall,
            memory=self.platform.memory,
            started_by=started_by,
            environment=self.environment,
        )

    def gate(self, run: str, began: datetime, *, policy: Policy | None = None, started_by: str = "") -> Gate:
        """The gate of a run that began at an instant, and that some principal started."""
        agent, platform = self.agent, self.platform
        parts = Parts(
            registry=agent.tools,
            functions=self.functions,
            policy=policy or agent.policy,
            approvals=platform.approvals,
            journal=platform.effects,
            log=platform.decisions,
            budgets=platform.budgets,
            now=platform.clock.wall,
            new_id=lambda: uuid.uuid4().hex,
            prices=agent.budgets.prices,
            limits=agent.budgets.limits,
        )
        who = Run(run, self.name, self.manifest.digest, agent.tenant, self.environment, started_by=started_by)
        breaker = Breaker(agent.budgets.loops, began)
        return Gate(parts, who, breaker=breaker, purse=Purse(run, agent.budgets.limit_usd))

    def _alone(self, run: str) -> AbstractContextManager[None]:
        return run_held(self.platform.project.home, run)

    def check_may_go_on(self, recording: Recording, *, anyway: bool) -> None:
        """NotAllowed where another release made the run, and NotResumable where it has ended or is running."""
        release, state = first_of(recording).release, state_of(recording.steps, self.platform.clock.wall())
        if release != self.manifest.digest:
            raise NotAllowed(
                f"The run {recording.run} was made by release {short(release)}, and this is {short(self.manifest.digest)}",
                expected="the release that made it",
                action="Open that release, or fork the run to go on with another",
                run=recording.run,
            )
        if state in (WAITING, STOPPED) or (anyway and state == RUNNING):
            return
        is_running = state == RUNNING
        raise NotResumable(
            f"The run {recording.run} is {state}",
            expected="a run that waits, or whose process is gone",
            action="Wait for it, or say --anyway where its process is gone" if is_running else "Start a new one",
            run=recording.run,
        )

    def _check_not_begun(self, run: str, first: str) -> None:
        """NotKept where the run has its first step: whoever comes later notes nothing in it."""
        if any(step.id == first for step in self.platform.runs.steps(run)):
            raise NotKept(
                f"The run {run} was begun before",
                expected="a run whose id nobody used before",
                action="Make a new id for each run",
                run=run,
            )

    def _is_effect(self, kind: str, name: str) -> bool:
        tool = self.agent.tools.get(name) if kind == TOOL else None
        return kind in EFFECT_KINDS and (tool is None or tool.has_effect)

    def _who_started(self, recording: Recording) -> str:
        return who_started(recording, [one.name for one in self.platform.access.principals.everybody()])

    def _check_may_act(self) -> None:
        self.started_by()

    def started_by(self) -> str:
        """Whose token is at work, where that is another's than the agent's own; NotAllowed where it may not propose."""
        who = self.platform.access.whoever_may(PROPOSE, self.name, self.environment, otherwise=self.name)
        return "" if who == self.name else who


def open_agent(platform: Platform, manifest: Manifest, *, environment: str = PRODUCTION) -> OpenAgent:
    """The agent of a manifest, ready to act; ConfigError where what is installed here is not what was released."""
    agent = read_agent(manifest, platform.objects.get)
    if problem := differs_here(agent):
        raise ConfigError(
            f"Release {short(manifest.digest)} of {manifest.system!r} cannot act here: {problem}",
            expected="the code and the tools that were released",
            action="Install what was released, or make a release of what is installed",
            system=manifest.system,
        )
    registry, functions = tools_of(toolset_of(agent.toolset, Workbench(platform, manifest, environment)))
    if registry.digest != agent.tools.digest:
        raise ConfigError(
            f"Release {short(manifest.digest)} of {manifest.system!r} has other tools than {agent.toolset} makes here",
            expected=", ".join(sorted(tool.name for tool in agent.tools)),
            action="Make a release with the tools of today",
            system=manifest.system,
        )
    return OpenAgent(
        platform, manifest, agent, functions, import_function(agent.program, what="agent's program"), environment
    )


def equipped(platform: Platform, system: str, agent: Agent) -> Agent:
    """An agent with the code and the tools that are installed here: what a release of it is made of."""
    bench = Workbench(platform, compose(system, {}, uses=agent.uses, operates=agent.operates))
    registry, _ = tools_of(toolset_of(agent.toolset, bench))
    import_function(agent.program, what="agent's program")
    return replace(agent, code=code_of(agent.program, agent.toolset), tools=registry)


def live_agent(platform: Platform, system: str, *, release: str = "", environment: str = PRODUCTION) -> OpenAgent:
    """The agent that is live, or its release that begins with some digits; ReleaseError where there is none."""
    wanted = release or platform.live(environment, system)
    if not wanted:
        known = platform.releases.releases(system)
        made = f"`ops promote {system} RELEASE`" if known else f"`ops materialize '+key:\"{system}/release\"'`"
        raise ReleaseError(
            f"Nothing of {system!r} is live in {environment}",
            expected="a live release of an agent",
            action=f"{made} makes one live",
            system=system,
        )
    return open_agent(platform, find_release(platform.releases, system, wanted).manifest, environment=environment)


def agent_of_run(platform: Platform, recording: Recording) -> OpenAgent:
    """The agent by whose release a run was made, where it acts; DataError for a run that no release of ours made."""
    first = recording.steps[0]
    found = (platform.release(system, first.release) for system in platform.releases.systems())
    release = next((one for one in found if one), None)
    if release is None:
        raise DataError(
            f"The run {recording.run} was made by no release that is known here",
            expected="a run of a released agent",
            action="It can be looked at and compared, but not run again",
            run=recording.run,
        )
    return open_agent(platform, release.manifest, environment=environment_of_run(platform, recording))


def recording_in(platform: Platform, run: str) -> Recording:
    """A run as it was kept; DataError where there is none."""
    recording = recording_of(platform.runs, run)
    if not recording.steps:
        raise DataError(
            f"There is no run {run!r}",
            expected="the id of a run, or its first digits",
            action="`ops agent runs` lists them",
            run=run,
        )
    return recording


def toolset_of(path: str, bench: Workbench) -> tuple[DoesTool, ...]:
    """The tools that a toolset makes; ConfigError where it cannot be found."""
    return tuple(import_function(path, what="agent's toolset")(bench))


def writer_of(platform: Platform) -> Writer:
    """What writes runs of a platform, with everything that is secret taken out."""
    return Writer(platform.runs.append, redactor_of(platform.project.home))


def foreign_writer_of(platform: Platform) -> Writer:
    """What writes what others send: the same, and never in the place of a step of a run that is conducted here."""

    def is_ours(release: str) -> bool:
        return any(platform.release(system, release) for system in platform.releases.systems())

    return replace(writer_of(platform), keep=keep_foreign(platform.runs, is_ours))


def _through_the_tool_gate(kind: str, name: str, given: Any, act: Callable[[], Any]) -> Any:  # noqa: ARG001
    """Lets a fork's effect through to its act, which asks the tool gate itself."""
    return act()
