"""A file of feature_repo/ over one dataset: an entity, a view and a service, from what the dataset declares."""

from collections.abc import Mapping
from typing import Any

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.mlops.dataset import declared_columns, key_of

FEAST_TYPES = {"string": "String", "int": "Int64", "float": "Float64", "bool": "Bool"}
"""What each type of a column is called in feast.types; instants are no features."""
KEY_TYPES = {"string": "STRING", "int": "INT64"}
KNOWN = ("published_at", "known_at")
"""Columns that by their name say when the values of a row became known."""


def feature_text(name: str, dataset: Mapping[str, Any]) -> str:
    """The Python of a service of this name over one dataset's columns.

    ConfigError for a dataset without an instant at which its values became known, or without a column beside its key.
    """
    columns, key = declared_columns(dataset["columns"]), key_of(dataset["key"])
    known_at = next((column for column in KNOWN if column in dataset["columns"]), dataset.get("time_column"))
    keys = [column.name for column in columns if column.name in key and column.type in KEY_TYPES]
    features = [column for column in columns if column.name not in key and column.type in FEAST_TYPES]
    if known_at is None or not keys or not features:
        raise ConfigError(
            f"The dataset {dataset['name']!r} has no features",
            expected="a key of text or whole numbers, a time_column or known_at, and other columns than timestamps",
            action="Add what is missing to its columns",
        )
    kept = [column for column in columns if column.name in keys] + features
    return _TEXT.format(
        name=name,
        dataset=dataset["name"],
        known_at=known_at,
        types=", ".join(sorted({FEAST_TYPES[column.type] for column in kept})),
        entities="\n".join(
            _ENTITY.format(key=column.name, type=KEY_TYPES[column.type]) for column in kept if column.name in keys
        ),
        named=", ".join(f"{found}_entity" for found in keys),
        schema="\n".join(_FIELD.format(name=column.name, type=FEAST_TYPES[column.type]) for column in kept),
    )


_ENTITY = '{key}_entity = Entity(name="{key}", join_keys=["{key}"], value_type=ValueType.{type})'
_FIELD = '        Field(name="{name}", dtype={type}),'
_TEXT = '''"""The features that {dataset} offers; every other view of the repo may be added to the service."""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import {types}

from ops_pipelines.adapters.project import lake_files

{entities}
{dataset}_view = FeatureView(
    name="{dataset}",
    entities=[{named}],
    # The instant at which the values became known, and never the one that they are about.
    source=FileSource(name="{dataset}", path=lake_files("{dataset}"), timestamp_field="{known_at}"),
    ttl=timedelta(days=14),
    schema=[
{schema}
    ],
)
{name} = FeatureService(name="{name}", features=[{dataset}_view])
'''
