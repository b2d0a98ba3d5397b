"""What all our components share: unknown YAML keys are answered with the nearest known one."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, get_args

import dagster as dg
from pydantic import BaseModel, ModelWrapValidatorHandler, ValidationError, create_model, model_validator
from pydantic_core import InitErrorDetails

from ops_pipelines.core.errors import near_miss


class OpsComponent(dg.Component, dg.Model, dg.Resolvable):
    """A component whose attributes are its fields; a misspelt key is an error with file, line and a near miss."""

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The model that Dagster validates the YAML with."""
        return _with_near_misses(cls.model())


@cache
def _with_near_misses(model: type[BaseModel]) -> type[BaseModel]:
    return create_model(model.__name__, __base__=(_NearMisses, model))


class _NearMisses(BaseModel):
    @model_validator(mode="wrap")
    @classmethod
    def _name_the_nearest(cls, data: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        try:
            return handler(data)
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                error.title, [_explained(details, cls) for details in error.errors()]
            ) from None


def _explained(details: Any, model: type[BaseModel]) -> InitErrorDetails:
    """An error as it was, or with the nearest key.

    Dagster builds each error again from its type and context to add file and line, so a message of our own has to
    travel in the context of a type that prints it.
    """
    kept = InitErrorDetails(
        type=details["type"], loc=details["loc"], input=details["input"], ctx=details.get("ctx", {})
    )
    *path, key = details["loc"] or [""]
    known = _keys_at(model, path) if details["type"] == "extra_forbidden" else []
    if not known:
        return kept
    message = f"Unknown key {key!r}. {near_miss(str(key), known)}"
    return {**kept, "type": "value_error", "ctx": {"error": ValueError(message)}}


def _keys_at(model: type[BaseModel], path: Sequence[Any]) -> list[str]:
    """The keys of the model that a path of fields (each followed by the name of its model) leads to; empty for none."""
    choices = {model.__name__: model}
    here = model
    for step in path:
        if step in choices:
            here = choices[step]
        elif step in here.model_fields:
            choices = {found.__name__: found for found in _models_in(here.model_fields[step].annotation)}
            here = next(iter(choices.values()), here)
        else:
            return []
    return list(here.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
