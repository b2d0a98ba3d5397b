"""One run as a graph: who was called by whom, whose words went where, and what it cost by agent, to the billionth.

Steps are joined to the step that called them, and to those whose words came to them as a message. A step whose parent
nobody kept is an orphan. The edges say where to look; what is counted is counted by steps, each once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ops_pipelines.agentops.run_log import MONEY_KINDS, Step

CALLED, TOLD = "called", "told"
"""The kinds of edges: from a parent to its step, and from a step to the one that its words came to."""


@dataclass(frozen=True, slots=True)
class Edge:
    """From one step to another, by their ids."""

    source: str
    target: str
    kind: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What some steps took. `unpriced` is how many model calls among them nobody knows the cost of."""

    steps: int
    tokens: int
    nanos: int
    unpriced: int


@dataclass(frozen=True, slots=True)
class TraceGraph:
    """The steps of a run by id, the edges between them, and the steps and links that lead nowhere.

    `parts` is how many pieces the graph falls into: 1 where all is connected, 0 where there is no step.
    """

    steps: Mapping[str, Step]
    edges: tuple[Edge, ...]
    orphans: tuple[str, ...]
    dangling: tuple[tuple[str, str], ...]
    parts: int

    @property
    def is_whole(self) -> bool:
        """Whether it is one connected graph without an orphan."""
        return self.parts == 1 and not self.orphans and not self.dangling

    @property
    def roots(self) -> tuple[str, ...]:
        """The steps that nobody called, and those whose parent is missing."""
        return tuple(step.id for step in self.steps.values() if step.parent not in self.steps)

    @property
    def cost(self) -> Cost:
        """What the whole run took: exactly the sum over its agents."""
        return cost_of(self.steps.values())

    def cost_by_agent(self) -> dict[str, Cost]:
        """What each agent's own steps took, by its name."""
        by_agent: dict[str, list[Step]] = defaultdict(list)
        for step in self.steps.values():
            by_agent[step.agent].append(step)
        return {agent: cost_of(steps) for agent, steps in sorted(by_agent.items())}

    def tree(self) -> Iterator[tuple[int, Step]]:
        """Each step once with its depth, children after their parent in the order in which they were kept."""
        children: dict[str, list[str]] = defaultdict(list)
        for step in self.steps.values():
            children[step.parent].append(step.id)
        seen: set[str] = set()
        for root in [*self.roots, *self.steps]:  # the steps that are each other's parents come last
            waiting = [(0, root)]
            while waiting:
                depth, id = waiting.pop()
                if id not in seen:
                    seen.add(id)
                    yield depth, self.steps[id]
                    waiting += [(depth + 1, child) for child in reversed(children[id])]


def trace_graph(steps: Sequence[Step], *, called_from: str = "") -> TraceGraph:
    """The graph of one run's steps; `called_from` is the step of another system that the run was asked for by, if any."""
    by_id = {step.id: step for step in steps}
    called = [Edge(step.parent, step.id, CALLED) for step in by_id.values() if step.parent in by_id]
    told = [Edge(link, step.id, TOLD) for step in by_id.values() for link in step.links if link in by_id]
    return TraceGraph(
        steps=by_id,
        edges=(*called, *told),
        orphans=tuple(step.id for step in by_id.values() if step.parent not in {"", called_from, *by_id}),
        dangling=tuple((step.id, link) for step in by_id.values() for link in step.links if link not in by_id),
        parts=_parts(by_id, (*called, *told)),
    )


def cost_of(steps: Iterable[Step]) -> Cost:
    """What some steps took, summed in whole numbers."""
    known = list(steps)
    return Cost(
        steps=len(known),
        tokens=sum(step.tokens or 0 for step in known),
        nanos=sum(step.nanos or 0 for step in known),
        unpriced=sum(step.kind in MONEY_KINDS and step.nanos is None for step in known),
    )


def _parts(ids: Iterable[str], edges: Sequence[Edge]) -> int:
    """How many pieces there are when edges are walked both ways."""
    near: dict[str, list[str]] = {id: [] for id in ids}
    for edge in edges:
        near[edge.source].append(edge.target)
        near[edge.target].append(edge.source)
    parts, unseen = 0, set(near)
    while unseen:
        parts, waiting = parts + 1, [unseen.pop()]
        while waiting:
            found = unseen.intersection(near[waiting.pop()])
            unseen -= found
            waiting += found
    return parts
