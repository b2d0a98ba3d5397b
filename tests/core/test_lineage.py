import json
from datetime import UTC, datetime

from ops_pipelines.core.lineage import Artefact, Origin, address
from ops_pipelines.core.verdict import Blocked

ARTEFACT = Artefact(
    key="features",
    partition="2013-01-01",
    digest="ab" * 32,
    verdict=Blocked(("too few rows",), {"rows": 3}),
    inputs={"flights@2013-01-01": "cd" * 32, "aircraft@-": "ef" * 32},
    origin=Origin("run-1", "c0ffee", "code-1", datetime(2013, 1, 8, tzinfo=UTC)),
    facts={"rows": 3},
)


def test_an_artefact_survives_json() -> None:
    assert Artefact.from_json(json.loads(json.dumps(ARTEFACT.to_json()))) == ARTEFACT


def test_an_asset_without_partitions_has_an_address_too() -> None:
    assert address("aircraft") == "aircraft@-"
    assert ARTEFACT.address == "features@2013-01-01"
