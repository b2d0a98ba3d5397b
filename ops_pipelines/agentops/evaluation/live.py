"""An agent run on its tasks, each in the task's own world, through the real gate and with a real recorder.

Its tools answer what the task says and touch nothing; approvals are answered by the task's person. What it does is judged
from the recording, as any run is. Its model and its memory are its own: where a program asks those, they are asked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ops_pipelines.agentops.agent import Agent
from ops_pipelines.agentops.approval import ApprovalStore
from ops_pipelines.agentops.breaker import Breaker
from ops_pipelines.agentops.conductor import Acting, Conductor
from ops_pipelines.agentops.decision_log import DecisionLog
from ops_pipelines.agentops.effects import EffectJournal
from ops_pipelines.agentops.evaluation.judging import cannot_judge, judge_task
from ops_pipelines.agentops.evaluation.recorded import redacted
from ops_pipelines.agentops.evaluation.task import Task, TaskSet
from ops_pipelines.agentops.evaluation.task_verdict import TaskVerdict
from ops_pipelines.agentops.evaluation.world import World, let_person_answer
from ops_pipelines.agentops.gate_parts import Parts, Run
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.run_log import Recording, RunLog, recording_of
from ops_pipelines.agentops.run_state import WAITING
from ops_pipelines.agentops.spend import Purse
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.core.errors import OpsError
from ops_pipelines.llmops.budget import BudgetStore

MOST_WAITS = 50
"""An agent that has asked a person so often in one task is not resumed again."""


@dataclass(frozen=True, slots=True)
class Stores:
    """Where one run is kept, apart from every other: made for it, and of no use to anybody else but to look at it."""

    approvals: ApprovalStore
    journal: EffectJournal
    decisions: DecisionLog
    budgets: BudgetStore
    runs: RunLog


@dataclass(frozen=True, slots=True)
class Stage:
    """What tasks are run on. `name` and `release` are the agent's, `stores` makes the stores of one run.

    `now` is the wall clock, `new_id` makes an id of 32 hexadecimal digits.
    """

    name: str
    release: str
    agent: Agent
    program: Acting
    stores: Callable[[], Stores]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    redactor: Redactor = field(default_factory=lambda: Redactor(key=b"the world of a task holds no secret"))


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A run of a task with its verdict."""

    verdict: TaskVerdict
    recording: Recording


def run_tasks(tasks: TaskSet, stage: Stage, *, repeats: int = 1) -> Iterator[TaskRun]:
    """Each task run as often as asked and judged, as it ends. A store that fails makes its run one that nobody can judge."""
    acts = {tool.name for tool in stage.agent.tools if tool.has_effect}
    for task in tasks.tasks:
        marked = redacted(task, stage.redactor)
        for repeat in range(repeats):
            run = stage.new_id()
            try:
                recording = run_task(task, stage, run)
            except OpsError as error:
                yield TaskRun(cannot_judge(task, error.wrong, run=run, repeat=repeat), Recording(run, (), {}))
            else:
                yield TaskRun(judge_task(marked, recording, acts=acts, repeat=repeat), recording)


def run_task(task: Task, stage: Stage, run: str) -> Recording:
    """One run of a task in its world, up to its end; what a store raises goes on."""
    stores, clock, world = stage.stores(), _Clock(stage.now), World(task)
    conductor = _conductor(stage, stores, clock, world)
    ran = conductor.start(run, task.given)
    for _ in range(MOST_WAITS):
        if ran.state != WAITING:
            break
        clock.ahead += let_person_answer(task, stores.approvals, str(ran.waits["approval"]), clock())
        ran = conductor.resume(recording_of(stores.runs, run), by=stage.new_id())
    return recording_of(stores.runs, run)


@dataclass(slots=True)
class _Clock:
    """The wall clock, `ahead` by the time for which nobody answered."""

    now: Callable[[], datetime]
    ahead: timedelta = field(default=timedelta(0))

    def __call__(self) -> datetime:
        return self.now() + self.ahead


def _conductor(stage: Stage, stores: Stores, clock: _Clock, world: World) -> Conductor:
    agent = stage.agent
    parts = Parts(
        registry=agent.tools,
        functions=world.functions(agent.tools),
        policy=agent.policy,
        approvals=stores.approvals,
        journal=stores.journal,
        log=stores.decisions,
        budgets=stores.budgets,
        now=clock,
        new_id=stage.new_id,
        prices=agent.budgets.prices,
        limits=agent.budgets.limits,
    )

    def gate_of(run: str, began: datetime) -> Gate:
        who = Run(run, stage.name, stage.release, agent.tenant)
        return Gate(parts, who, breaker=Breaker(agent.budgets.loops, began), purse=Purse(run, agent.budgets.limit_usd))

    return Conductor(
        agent=stage.name,
        release=stage.release,
        program=stage.program,
        settings=agent.settings,
        gate_of=gate_of,
        writer=Writer(stores.runs.append, stage.redactor),
        now=clock,
    )
