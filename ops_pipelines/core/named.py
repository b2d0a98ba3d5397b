"""Things by the first digits of their ids, as people type them."""

from collections.abc import Sequence
from typing import TypeVar

from ops_pipelines.core.errors import ConfigError, near_miss

_Named = TypeVar("_Named")


def one_named(kind: str, digits: str, known: Sequence[tuple[str, _Named]], *, least: int, lists: str) -> _Named:
    """The one thing of which a name begins so; ConfigError for none, with the nearest, for several, and for few digits.

    `known` has each thing with its name, and again with each further one. A whole name is that thing's, also where others
    begin with it. `lists` is the command that lists them.
    """
    found = {id(one): one for name, one in known if len(digits) >= least and name.startswith(digits)}
    exact = {id(one): one for name, one in known if name == digits and id(one) in found}
    if len(exact or found) == 1:
        return next(iter((exact or found).values()))
    raise ConfigError(
        f"{'No' if not found else 'More than one'} {kind} begins with {digits!r}",
        expected=f"the first digits of exactly one {kind}, at least {least}",
        action=f"{near_miss(digits, [name for name, _ in known[-20:]])} `{lists}` lists them",
        **{kind: digits},
    )
