import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from ops_pipelines.adapters.clock import ProjectClock
from ops_pipelines.adapters.lake import Lake
from ops_pipelines.adapters.objects import ObjectStore
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.core.errors import ArtefactError, ConfigError, DataError, NoAcceptedData
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.verdict import Blocked, Passed

NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)


def artefact(digest: str, verdict=None) -> Artefact:
    return Artefact("landings", "2013-01-01", digest, verdict or Passed(), {}, Origin("run", "commit", "code", NOON))


@pytest.fixture
def objects(tmp_path) -> ObjectStore:
    return ObjectStore(tmp_path)


def test_bytes_come_back_by_their_digest(objects):
    assert objects.get(objects.put(b"trees")) == b"trees"


def test_a_damaged_object_is_refused_and_mended_by_putting_it_again(objects, tmp_path):
    digest = objects.put(b"trees")
    (tmp_path / digest[:2] / digest).write_bytes(b"other trees")
    with pytest.raises(ArtefactError, match="was changed"):
        objects.get(digest)
    objects.put(b"trees")
    assert objects.get(digest) == b"trees"


def test_a_release_whose_model_was_damaged_does_not_resolve(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    monkeypatch.delenv("OPS_HOME", raising=False)
    platform = Platform.embedded(find_project(tmp_path))
    digest = platform.objects.put(b"trees")
    assert platform.resolves("model", digest)
    (platform.objects.root / digest[:2] / digest).write_bytes(b"")
    assert not platform.resolves("model", digest)


def test_content_that_was_written_again_while_it_was_read_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    monkeypatch.delenv("OPS_HOME", raising=False)
    platform = Platform.embedded(find_project(tmp_path))
    platform.lake.publish(pa.table({"a": [1]}), artefact("first"))
    assert platform.read_all({"landings@2013-01-01": "first"}).num_rows == 1
    platform.lake.publish(pa.table({"a": [2]}), artefact("second"))
    with pytest.raises(DataError, match="written again while it was being read"):
        platform.read_all({"landings@2013-01-01": "first"})


def test_what_was_written_last_is_accepted_only_where_it_passed(tmp_path):
    lake = Lake(tmp_path)
    lake.publish(pa.table({"a": [1]}), artefact("first"))
    assert lake.accepted("landings", "2013-01-01").digest == "first"
    lake.publish(pa.table({"a": [2]}), artefact("second", Blocked(("half of it",))))
    with pytest.raises(NoAcceptedData, match="half of it"):
        lake.accepted("landings", "2013-01-01")
    assert lake.read("landings", "2013-01-01").to_pydict() == {"a": [1]}
    assert lake.is_written("landings", "2013-01-01")


def test_a_good_content_that_is_replaced_leaves_its_record_behind(tmp_path):
    lake = Lake(tmp_path)
    for digest in ("first", "first", "second"):
        lake.publish(pa.table({"a": [1]}), artefact(digest))
    assert lake.replaced("landings", "2013-01-01", "first") == artefact("first")
    assert lake.replaced("landings", "2013-01-01", "second") is None
    assert list(lake.addresses()) == ["landings@2013-01-01"]


def test_one_row_is_found_by_the_value_of_a_column(tmp_path):
    lake = Lake(tmp_path)
    lake.publish(pa.table({"id": ["a", "b"], "score": [0.1, 0.2]}), artefact("first"))
    asked = {"column": "id", "take": ["score"]}
    assert lake.row("landings", "2013-01-01", value="b", **asked) == {"score": 0.2}
    assert lake.row("landings", "2013-01-01", value="c", **asked) is None
    assert lake.row("landings", "2013-01-08", value="b", **asked) is None


def test_the_clock_tells_its_position_until_it_follows_the_wall_again(tmp_path):
    clock = ProjectClock(tmp_path)
    assert not clock.is_replayed()
    clock.set(NOON)
    assert (clock.as_of(), clock.is_replayed()) == (NOON, True)
    clock.follow_the_wall()
    assert clock.as_of() > NOON


def test_a_clock_file_that_holds_no_instant_is_named(tmp_path):
    (tmp_path / "clock.json").write_text(json.dumps({"as_of": "soon"}))
    with pytest.raises(ConfigError, match=r"clock\.json"):
        ProjectClock(tmp_path).as_of()
