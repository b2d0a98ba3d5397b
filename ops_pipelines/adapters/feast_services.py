"""A Feast feature service in our terms: views as they are, over datasets of the lake, names that differ."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.project import Project
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable

if TYPE_CHECKING:
    import feast


def translate(
    service: "feast.FeatureService",
    views: Mapping[str, "feast.FeatureView"],
    entities: Sequence["feast.Entity"],
    project: Project,
) -> FeatureService:
    """A Feast service in our terms, in the order of names, so that its digest is that of its content.

    Raises ConfigError where the join could not answer it, or would have two columns of one name.
    """
    keys = {entity.name: entity.join_key for entity in entities if not entity.name.startswith("__")}
    projections = sorted(service.feature_view_projections, key=lambda projection: projection.name)
    tables = tuple(_table(service.name, projection, views, keys, project) for projection in projections)
    seen: dict[str, str] = {key: "a join key" for table in tables for key in table.keys}
    for table in tables:
        for feature in table.features:
            if feature in seen:
                raise ConfigError(
                    f"Feature {feature!r} of view {table.name!r} in service {service.name!r} is also {seen[feature]}",
                    expected="names that differ, since a joined row holds them side by side",
                    action=f"Rename the column {feature!r} in dataset {table.dataset!r} and in the view",
                )
            seen[feature] = f"a feature of view {table.name!r}"
    return FeatureService(service.name, tables)


def _table(
    service: str,
    projection: Any,
    views: Mapping[str, "feast.FeatureView"],
    keys: Mapping[str, str],
    project: Project,
) -> FeatureTable:
    view = views.get(projection.name)
    if view is None or projection.name_alias or projection.join_key_map or projection.version_tag is not None:
        raise ConfigError(
            f"Feature service {service!r} takes {projection.name!r} renamed, remapped, pinned, or not from a plain view",
            expected="feature views as they are, or some of their features",
            action="Compute the columns in a dataset, and make a plain feature view of it",
            view=projection.name,
        )
    features = tuple(sorted(field.name for field in projection.features))
    if not features or not set(view.entities) <= set(keys):
        raise ConfigError(
            f"Feature view {view.name!r} of {', '.join(view.entities)} has no features or no known entity",
            expected="a schema=[Field(...)] with each key and feature, and entities that a file of the repo defines",
            action="Write out what is missing: nothing is inferred from the data",
            view=view.name,
        )
    source = _lake_source(view, project)
    return FeatureTable(
        name=view.name,
        dataset=_dataset(source),
        keys=tuple(sorted(keys[entity] for entity in view.entities)),
        timestamp=source.timestamp_field,
        features=features,
        ttl=view.ttl or None,
    )


def _lake_source(view: "feast.FeatureView", project: Project) -> "feast.FileSource":
    """A view's source, which has to be a dataset of the lake."""
    from feast import FileSource

    source, lake = view.batch_source, project.home / "lake"
    if (
        isinstance(source, FileSource)
        and source.timestamp_field
        and not source.field_mapping
        and Path(source.path) == lake / _dataset(source) / "*" / "data.parquet"
    ):
        return source
    raise ConfigError(
        f"Feature view {view.name!r} does not read a dataset of the lake: its source is {getattr(source, 'path', source)}",
        expected=f"a FileSource over {lake}/<dataset>/*/data.parquet with a timestamp_field and no field_mapping",
        action="Give it path=lake_files(<dataset>), and apply again where OPS_HOME has moved",
        view=view.name,
    )


def _dataset(source: "feast.FileSource") -> str:
    return Path(source.path).parent.parent.name
