"""Templates that can place values, choose and repeat, and do nothing else.

The language is a small part of Jinja's: `{{ name }}`, `{{ item.field }}`, `{% if %}` with comparisons, `{% for %}` over a
list, and filters without arguments. There are no calls, no arithmetic, no other template to include, and no attribute of
any Python object: a dot reads a field of a mapping and nothing else. What is outside that part is refused when the template
is read and not when it runs (`template_language`). Values are data: nothing in them is ever rendered.

Time and memory are bounded by work and not by a clock, so that the same template and values always end alike: each part of
a template that a loop's turn may come to and each character that a filter reads is work, and what comes out is counted.

2026-11-26: Jinja's own sandbox was not enough. It lets `range(99999)`, `'%999999999d'|format(1)` and `'a' * 10**9` through,
and its escapes so far went by an attribute or a call. Both are refused here, and the sandbox stands beneath.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.llmops.template_language import LOOP, Problem, refused_in

if TYPE_CHECKING:
    from jinja2 import Environment, nodes
    from jinja2 import Template as Compiled

MAX_TEMPLATE_CHARS = 100_000
MAX_RENDERED_CHARS = 2_000_000
MAX_WORK = 5_000_000
"""Parts of the template that turns of loops come to, and characters that filters read, in one rendering."""
_WORK = "_work"
"""Carries a rendering's work through Jinja's context. Templates cannot name it: it begins with an underscore."""


class TemplateError(ConfigError):
    """A template that is not of the allowed language."""


class RenderError(DataError):
    """Values that a template cannot be rendered with, or that take more than a rendering may."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A template that was read: what is refused in it, the names it takes and its own text; compiled where it is good."""

    problems: tuple[Problem, ...]
    names: Mapping[str, int]
    fixed: str
    compiled: "Compiled | None"


def problems_of(text: str) -> tuple[Problem, ...]:
    """Everything in a template that is refused, in the order of its lines; empty for a good one."""
    return _read(text).problems


def names_in(text: str) -> Mapping[str, int]:
    """The variables that a good template takes, with the line of their first use; empty for one that is refused."""
    return _read(text).names


def fixed_text(text: str) -> str:
    """What a good template may say whatever its values are; all of its text for one that is refused."""
    return _read(text).fixed


def render(text: str, values: Mapping[str, Any]) -> str:
    """The template's text with the values in their places, each exactly as it was given.

    Values are texts, numbers, booleans, and lists or mappings of those. Raises TemplateError for a template that is
    refused, and RenderError for a value that is missing or for more work or text than one rendering may take.
    """
    from jinja2 import TemplateRuntimeError

    pieces = _compiled(text).generate({**values, _WORK: _Work()})
    try:
        return "".join(_bounded(pieces))
    except (TemplateRuntimeError, TypeError, ValueError, IndexError) as error:
        raise RenderError(
            f"The template cannot be rendered with these values: {error}",
            expected="values that fit to how the template uses them",
            action="Correct the value, or how the template uses it",
        ) from error


def _bounded(pieces: Iterator[str]) -> Iterator[str]:
    written = 0
    for piece in pieces:
        written += len(piece)
        if written > MAX_RENDERED_CHARS:
            raise _too_much(f"more than {MAX_RENDERED_CHARS:,} characters come out")
        yield piece


class _Work:
    """What one rendering has done so far."""

    def __init__(self) -> None:
        self.done = 0

    def take(self, amount: int) -> None:
        """Counts an amount; RenderError when there was too much."""
        self.done += amount
        if self.done > MAX_WORK:
            raise _too_much(f"it takes more than {MAX_WORK:,} steps of loops and filters")


def _too_much(what: str) -> RenderError:
    return RenderError(
        f"The template does not end with these values: {what}",
        expected="a prompt that a model could read",
        action="Give it fewer or shorter values, or nest its loops less",
    )


def _compiled(text: str) -> "Compiled":
    read = _read(text)
    if read.compiled:
        return read.compiled
    first, *more = read.problems
    raise TemplateError(
        f"The template is refused: line {first.line}: {first.message}" + (f" (and {len(more)} more)" if more else ""),
        expected="text with {{ name }}, {% if %}, {% for %} over a list, and filters without arguments",
        action="Work the value out in code and pass it as a variable",
        problems=[problem.message for problem in read.problems],
    )


@lru_cache(maxsize=512)
def _read(text: str) -> _Read:
    from jinja2 import TemplateSyntaxError

    if len(text) > MAX_TEMPLATE_CHARS:
        return _unread(text, f"the template has {len(text):,} characters, and may have {MAX_TEMPLATE_CHARS:,}", 1)
    try:
        tree = _environment().parse(text)
        problems = refused_in(tree)
        return _Read(problems, {}, text, None) if problems else _read_good(tree)
    except TemplateSyntaxError as error:
        return _unread(text, f"{error.message} (syntax)", error.lineno)
    except (RecursionError, MemoryError, SyntaxError):  # of Python's own compiler, for a hundred brackets or 21 loops
        return _unread(text, "the template is nested too deeply to be read", 1)


def _unread(text: str, why: str, line: int) -> _Read:
    return _Read((Problem(why, line),), {}, text, None)


def _read_good(tree: "nodes.Template") -> _Read:
    from jinja2 import meta, nodes

    undeclared = meta.find_undeclared_variables(tree)
    uses = [name for name in tree.find_all(nodes.Name) if name.name in undeclared]
    lines = {name.name: name.lineno for name in sorted(uses, key=lambda use: use.lineno, reverse=True)}
    fixed = "".join(part.data for part in tree.find_all(nodes.TemplateData))
    for loop in list(tree.find_all(nodes.For)):
        parts = nodes.Const(sum(1 for _ in loop.find_all(nodes.Node)))
        loop.iter = nodes.Filter(loop.iter, "_turns", [parts], [], None, None, lineno=loop.lineno)
    return _Read((), dict(sorted(lines.items())), fixed, _environment().from_string(tree))


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    from jinja2 import StrictUndefined, pass_context
    from jinja2.runtime import LoopContext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Data(ImmutableSandboxedEnvironment):
        """An environment in which a dot and brackets read what mappings and lists hold, and no attribute."""

        def getitem(self, obj: Any, argument: Any) -> Any:
            if isinstance(obj, LoopContext) and argument in LOOP:
                return getattr(obj, argument)
            if isinstance(obj, Mapping) and argument in obj:
                return obj[argument]
            if isinstance(obj, list | tuple) and isinstance(argument, int) and argument < len(obj):
                return obj[argument]
            return self.undefined(obj=obj, name=argument)

        def getattr(self, obj: Any, attribute: str) -> Any:
            return self.getitem(obj, attribute)

    made = Data(
        undefined=StrictUndefined,
        finalize=_as_text,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.clear()
    made.tests.clear()
    made.filters = {name: pass_context(_counted(filter_)) for name, filter_ in _FILTERS.items()}
    made.filters["_turns"] = pass_context(_turns)
    return made


def _counted(filter_: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """A filter that counts what it reads as work."""

    def counted(context: Any, value: Any) -> Any:
        context[_WORK].take(_size(value))
        return filter_(value)

    return counted


def _turns(context: Any, items: Any, parts: int) -> Any:
    """A list whose items a loop over so many parts of a template may go through."""
    if not isinstance(items, list | tuple):
        raise TypeError(f"a loop goes over a list, and was given {type(items).__name__}")
    context[_WORK].take((1 + len(items)) * parts)
    return items


def _size(value: Any) -> int:
    if isinstance(value, Mapping):
        return 1 + sum(_size(key) + _size(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return 1 + sum(map(_size, value))
    return len(value) if isinstance(value, str) else 1


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _as_text(value: Any) -> Any:
    """What `{{ }}` places: texts and numbers. A list would come out as Python writes it, which no model should read."""
    from jinja2 import Undefined

    if isinstance(value, str | int | float | Undefined) and not isinstance(value, bool):
        return value
    raise TypeError(f"{type(value).__name__} cannot be placed as text: loop over it, or use `| tojson`")


_FILTERS: Mapping[str, Callable[[Any], Any]] = {
    "first": itemgetter(0),
    "last": itemgetter(-1),
    "length": len,
    "lower": str.lower,
    "tojson": _json,
    "trim": str.strip,
    "upper": str.upper,
}
