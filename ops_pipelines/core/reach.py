"""The walk the other way: from a thing to all that a change of it reaches, over edges that rooms know.

A room says which thing is made from, holds or uses which; the walk knows no kind. The nearest come first, each thing once,
with what it was reached through.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.core.walk import Thing

Edge: TypeAlias = tuple[Thing, Thing]
"""A thing, and one that a change of it reaches directly."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A thing that a change reaches: how many edges away it is, and the thing before it on the shortest way."""

    thing: Thing
    distance: int
    through: Thing

    def to_json(self) -> dict[str, Any]:
        """The row as plain JSON."""
        kind, id = self.thing
        return {"distance": self.distance, "what": kind, "id": id, "through": " ".join(self.through)}


def reach(start: Sequence[Thing], edges: Iterable[Edge]) -> Iterator[Reached]:
    """All that a change of some things reaches, the nearest first; the things themselves are not among it."""
    children = _children(edges)
    seen, due = set(start), deque((0, thing) for thing in start)
    while due:
        distance, thing = due.popleft()
        for child in children.get(thing, ()):
            if child not in seen:
                seen.add(child)
                due.append((distance + 1, child))
                yield Reached(child, distance + 1, thing)


def things_named(name: str, edges: Iterable[Edge], *, first: str = "") -> list[Thing]:
    """Every thing of a name; empty for none. A thing of the kind `first` wins over others of its name.

    A name is an id, a kind and an id (`feature service flight_delay`), or at least four first digits of a digest that
    ends an id.
    """
    things = dict.fromkeys(thing for edge in edges for thing in edge)
    exact = [thing for thing in things if name in (thing[1], " ".join(thing))]
    if (first, name) in exact:
        return [(first, name)]
    return exact or [thing for thing in things if len(name) >= 4 and _is_digest_from(thing[1], name)]


def unknown(name: str, edges: Iterable[Edge], *, forms: str) -> ConfigError:
    """The error for a name of nothing, with the nearest name."""
    near = near_miss(name, {thing[1] for edge in edges for thing in edge})
    return ConfigError(
        f"{name!r} names nothing whose reach is known",
        expected=forms,
        action=near if near.endswith("?") else "Write a file's path from the project's root",
    )


def _is_digest_from(id: str, digits: str) -> bool:
    last = id.rpartition("/")[2]
    return len(last) == 64 and last.startswith(digits)


def _children(edges: Iterable[Edge]) -> Mapping[Thing, list[Thing]]:
    """The things that each thing reaches directly, in order, so that two equal questions have equal answers."""
    found: dict[Thing, set[Thing]] = defaultdict(set)
    for parent, child in edges:
        found[parent].add(child)
    return {parent: sorted(children) for parent, children in found.items()}
