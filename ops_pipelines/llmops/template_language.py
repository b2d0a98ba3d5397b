"""The part of Jinja that templates may use, and in which words the rest is refused.

Everything that is not listed is refused: a construct that Jinja gains later is none of ours until it is added here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import near_miss

if TYPE_CHECKING:
    from jinja2 import nodes

FILTERS = ("first", "last", "length", "lower", "tojson", "trim", "upper")
"""None of them takes an argument: a width or a count is how a filter makes much of little."""
LOOP = ("first", "index", "index0", "last", "length")
"""What a template may read of `loop`."""
RESERVED = ("caller", "kwargs", "self", "super", "varargs")
"""Names that Jinja gives a meaning of its own."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a template may not contain, and the line of the template that it stands on (from 1)."""

    message: str
    line: int


def refused_in(tree: "nodes.Template") -> tuple[Problem, ...]:
    """Everything in a template that is outside the language, in the order of its lines."""
    return tuple(sorted(_refused(tree, 1), key=lambda problem: problem.line))


def _refused(node: "nodes.Node", line: int) -> Iterator[Problem]:
    """What is refused in a node, or else in the nodes inside it; a node without a line is on that of the one around it."""
    here = node.lineno or line
    message = _why_refused(node)
    if message:
        yield Problem(message, here)
        return
    for inner in node.iter_child_nodes():
        yield from _refused(inner, here)


def _why_refused(node: "nodes.Node") -> str | None:
    """Why a node is not of the language; None for one that is, or whose reason is inside it."""
    kind = type(node).__name__
    if kind in _LOOKED_AT:
        return _LOOKED_AT[kind](node)
    return None if kind in _PLAIN else _WORDS.get(kind, f"{kind} is no part of this template language")


def _why_refused_name(name: str) -> str | None:
    if name in RESERVED:
        return f"{name!r} is Jinja's own name: no variable can be called so"
    return _why_refused_field(name)


def _why_refused_field(name: str) -> str | None:
    return f"{name!r} begins with an underscore: nothing inside Python is reached" if name.startswith("_") else None


def _why_refused_key(key: "nodes.Node") -> str | None:
    from jinja2 import nodes

    if not isinstance(key, nodes.Const) or not isinstance(key.value, str | int):
        return "brackets hold one text or one number: no slice, and no key that is worked out"
    return _why_refused_field(str(key.value))


def _why_refused_filter(node: "nodes.Filter") -> str | None:
    if node.name not in FILTERS:
        return f"there is no filter {node.name!r}. {near_miss(node.name, FILTERS)}"
    if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        return f"the filter {node.name!r} takes no argument here"
    return None


def _why_refused_loop(node: "nodes.For") -> str | None:
    from jinja2 import nodes

    plain = not (node.recursive or node.else_ or node.test) and isinstance(node.target, nodes.Name)
    return None if plain else "a loop is plain: one name, no `recursive`, no `else`, no `if`"


def _why_refused_comparison(node: "nodes.Compare") -> str | None:
    """Two values of any length take any time to compare or to search, so one side is written in the template."""
    from jinja2 import nodes

    sides = [node.expr, *(operand.expr for operand in node.ops)]
    if len(sides) > 2 or not any(isinstance(side, nodes.Const) for side in sides):
        return "a comparison has two sides, and one of them is a text or a number written in the template"
    if node.ops[0].op in ("in", "notin"):
        return "`in` searches a value of any length: work it out in code"
    return None


_OTHER = "write its text here, so that all of it has one identity"
_WORDS = {
    "Call": "a call: templates place values and do not work them out",
    "Include": f"another template is included: {_OTHER}",
    "Import": f"another template is imported: {_OTHER}",
    "FromImport": f"another template is imported: {_OTHER}",
    "Extends": f"another template is extended: {_OTHER}",
    "Macro": "a macro: write its text out",
    "Assign": "a variable is set: pass it as a value",
    "AssignBlock": "a variable is set: pass it as a value",
    "CondExpr": "a choice inside braces: use {% if %}",
    "Test": "a test: compare with a value, or ask for the value itself with {% if name %}",
    **dict.fromkeys(
        ("Add", "Sub", "Mul", "Div", "FloorDiv", "Mod", "Pow", "Neg", "Pos", "Concat"),
        "arithmetic: work the value out in code",
    ),
}
_PLAIN = frozenset({"Template", "Output", "TemplateData", "Const", "If", "Operand", "And", "Or", "Not"})
_LOOKED_AT: Mapping[str, Callable[[Any], str | None]] = {
    "Name": lambda node: _why_refused_name(node.name),
    "Getattr": lambda node: _why_refused_field(node.attr),
    "Getitem": lambda node: _why_refused_key(node.arg),
    "Filter": _why_refused_filter,
    "For": _why_refused_loop,
    "Compare": _why_refused_comparison,
}
