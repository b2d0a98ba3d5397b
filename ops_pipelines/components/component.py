"""What all our components share: unknown YAML keys are answered with the nearest known one."""

from functools import cache
from typing import Any

import dagster as dg
from pydantic import BaseModel, ModelWrapValidatorHandler, ValidationError, create_model, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

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
                error.title, [_explained(details, list(cls.model_fields)) for details in error.errors()]
            ) from None


def _explained(details: Any, known: list[str]) -> InitErrorDetails:
    message = details["msg"]
    if details["type"] == "extra_forbidden" and len(details["loc"]) == 1:
        message = f"Unknown key {details['loc'][0]!r}. {near_miss(str(details['loc'][0]), known)}"
    return InitErrorDetails(
        type=PydanticCustomError(details["type"], message.replace("{", "{{").replace("}", "}}")),
        loc=details["loc"],
        input=details["input"],
    )
