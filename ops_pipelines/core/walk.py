"""The walk from an output to all that made it, over things that rooms find.

A room registers itself by one value, a `Room`: who finds the things of its kinds, and which names of people mean one of
them. The walk knows no kind. What cannot be found on the way is a node that says so, and never a hole in the answer.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ops_pipelines.core.errors import ConfigError, OpsError

Thing: TypeAlias = tuple[str, str]
"""A kind and an id."""


@dataclass(frozen=True, slots=True)
class Node:
    """One thing on the way from an output to its origins: its kind, its id, what is known of it, what made it.

    `missing` says what of it could not be found; empty where nothing is missing.
    """

    kind: str
    id: str
    facts: Mapping[str, Any]
    parents: tuple[Thing, ...] = ()
    missing: str = ""


Finder: TypeAlias = Callable[[str], Node]
"""Finds the node of one kind by its id; raises an OpsError where there is none."""


@dataclass(frozen=True, slots=True)
class Room:
    """What one room adds to the walk: the finder of each of its kinds, and what people call its things.

    `named` gives the thing that a name means, None for a name of another room. `forms` are the forms of such names.
    """

    finders: Mapping[str, Finder]
    named: Callable[[str], Thing | None]
    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that made a thing with how far away each is, the nearest first and the thing itself before all."""

    nodes: tuple[tuple[int, Node], ...]

    @property
    def missing(self) -> tuple[Node, ...]:
        """The nodes of which something could not be found; empty where the explanation is complete."""
        return tuple(node for _, node in self.nodes if node.missing)

    def to_json(self) -> dict[str, Any]:
        """Whether it is complete, what is missing, and the nodes, as plain JSON."""
        return {
            "complete": not self.missing,
            "missing": [{"what": node.kind, "id": node.id, "why": node.missing} for node in self.missing],
            "nodes": [_shown(level, node) for level, node in self.nodes],
        }


def explain(name: str, rooms: Sequence[Room], *, depth: int | None = None) -> Explanation:
    """What made the thing of a name; ConfigError where it names nothing, and the finder's error where it is not there.

    Nothing further than `depth` is looked up: an explanation that was cut short is complete as far as it goes.
    """
    return Explanation(tuple(walk(*locate(name, rooms), finders_of(rooms), depth=depth)))


def locate(name: str, rooms: Sequence[Room]) -> Thing:
    """The thing that a person named; ConfigError that lists what can be named where no room knows the name."""
    for room in rooms:
        if thing := room.named(name):
            return thing
    raise ConfigError(
        f"{name!r} names nothing that can be explained",
        expected=", or ".join(form for room in rooms for form in room.forms)
        or "a name of some room, and there is none",
        action="`ops releases SYSTEM` lists releases and versions; prediction ids stand in the predictions asset",
    )


def finders_of(rooms: Sequence[Room]) -> dict[str, Finder]:
    """The finder of every kind; ConfigError where two rooms want the same kind."""
    found: dict[str, Finder] = {}
    for room in rooms:
        if twice := sorted(found.keys() & room.finders.keys()):
            raise ConfigError(
                f"Two rooms find things of the kind {twice[0]!r}",
                expected="one room for each kind",
                action="Give one of the two kinds another name",
            )
        found |= room.finders
    return found


def walk(kind: str, id: str, finders: Mapping[str, Finder], *, depth: int | None = None) -> Iterator[tuple[int, Node]]:
    """The node and all that made it with how far away each is, the nearest first, each thing once.

    A parent of a kind that nobody registered is a leaf without facts, and one that its finder cannot find is a leaf that
    says why. Raises the finder's error where the first thing itself is not there.
    """
    seen, due = {(kind, id)}, deque([(0, (kind, id))])
    while due:
        level, thing = due.popleft()
        node = _found(thing, finders) if level else _first(thing, finders)
        yield level, node
        for parent in node.parents if depth is None or level < depth else ():
            if parent not in seen:
                seen.add(parent)
                due.append((level + 1, parent))


def _first(thing: Thing, finders: Mapping[str, Finder]) -> Node:
    return finders[thing[0]](thing[1]) if thing[0] in finders else Node(*thing, {})


def _found(thing: Thing, finders: Mapping[str, Finder]) -> Node:
    try:
        return _first(thing, finders)
    except OpsError as error:
        return Node(*thing, {}, missing=error.wrong)


def _shown(level: int, node: Node) -> dict[str, Any]:
    state = {"state": f"missing: {node.missing}"} if node.missing else {}
    return {"what": node.kind, "id": node.id, "depth": level, "facts": {**node.facts, **state}}
