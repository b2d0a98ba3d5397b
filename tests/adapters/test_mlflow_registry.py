import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import numpy as np
import pandas as pd
import pytest

from ops_pipelines.adapters.mlflow_registry import MLflowRegistry, RegistryError, TrainingRecord
from ops_pipelines.core.errors import ArtefactError
from ops_pipelines.core.fingerprint import digest_bytes
from ops_pipelines.core.verdict import Blocked
from ops_pipelines.mlops.checkpoint import Card
from ops_pipelines.testing.flavours import LogisticFlavour, example_rows, fit_logistic

LOGISTIC = "ops_pipelines.testing.flavours:LogisticFlavour"
ROWS = example_rows(100)
MODEL = fit_logistic(ROWS, {}, 7)
DATASET = digest_bytes(b"the training rows")


def record_of(system, *, metrics=None, flavour=LOGISTIC, content=None, sample=ROWS.features, **given):
    bytes_ = LogisticFlavour().dump(MODEL) if content is None else content
    card = Card(
        system=system,
        cut_off=datetime(2013, 4, 1, tzinfo=UTC),
        model=digest_bytes(bytes_),
        features=MODEL.columns,
        params={"ridge": 1.0},
        seed=7,
        train_rows=80,
        holdout_rows=20,
        metrics=metrics or {"log_loss": 0.5, "auc": None},
        verdict=Blocked(("too good to be true",)),
    )
    return TrainingRecord(card, flavour, bytes_, DATASET, sample, **given)


@pytest.fixture
def copied(registry, tmp_path):
    """Another home, with its own database."""
    shutil.copyfile(registry.database, tmp_path / "mlflow.db")
    return MLflowRegistry(tmp_path, patience_seconds=0.05)


@pytest.fixture(scope="module")
def client(registry):
    from mlflow import MlflowClient

    return MlflowClient(registry.uri, registry.uri)


@pytest.fixture(scope="module")
def recorded(registry):
    given = {"tags": {"release": "cd" * 32}, "artefacts": {"requirements.lock": "numpy==2"}}
    return registry.record(record_of("recorded", **given))


def artefacts_of(client, run_id, *folders):
    return {file.path for folder in (None, *folders) for file in client.list_artifacts(run_id, folder)}


def test_a_record_is_a_finished_run_with_its_facts(recorded, client):
    run = client.get_run(recorded.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"log_loss": 0.5}
    assert run.data.params == {"ridge": "1.0", "seed": "7", "train_rows": "80", "holdout_rows": "20"}
    assert {"release": "cd" * 32, "dataset_sha256": DATASET, "gate": "blocked"}.items() <= run.data.tags.items()


def test_a_record_keeps_the_card_the_texts_and_the_model(recorded, client):
    files = artefacts_of(client, recorded.run_id, "model")
    assert {"model_card.md", "requirements.lock", "model/MLmodel", "model/model.bytes"} <= files


def test_a_run_names_its_dataset_by_our_digest(recorded, client):
    [used] = client.get_run(recorded.run_id).inputs.dataset_inputs
    assert used.dataset.digest == DATASET[:12]
    assert used.dataset.source == DATASET


def test_a_version_carries_the_release_and_the_card(recorded, client):
    version = client.get_model_version("recorded", recorded.version)
    assert (version.run_id, version.tags["release"]) == (recorded.run_id, "cd" * 32)
    assert "too good to be true" in version.description


def test_a_version_leads_to_the_canonical_bytes(recorded, client):
    import mlflow.artifacts

    source = client.get_model_version("recorded", recorded.version).source
    folder = Path(mlflow.artifacts.download_artifacts(source))
    assert LogisticFlavour().load((folder / "model.bytes").read_bytes()) == MODEL


def test_a_second_record_is_the_next_version(registry):
    versions = [registry.record(record_of("twice")).version for _ in range(2)]
    assert versions == ["1", "2"]


def test_artefacts_lie_in_the_home(recorded, registry):
    assert list(registry.home.glob(f"mlflow-artifacts/recorded/{recorded.run_id}/artifacts/model_card.md"))


def test_a_booster_is_stored_in_mlflows_own_format_with_the_bytes_of_the_release(registry):
    import lightgbm as lgb
    import mlflow.lightgbm

    from ops_pipelines.adapters.lightgbm_flavour import LightGBMFlavour

    features = ROWS.features.assign(origin=pd.Categorical(np.where(ROWS.labels, "EWR", "JFK")))
    settings = {"objective": "binary", "num_iterations": 3, "num_threads": 1, "verbosity": -1}
    content = LightGBMFlavour().dump(lgb.train(settings, lgb.Dataset(features, ROWS.labels)))
    made = registry.record(record_of("boosted", flavour="lightgbm", content=content, sample=features))
    folder = registry.home / "mlflow-artifacts" / "boosted" / made.run_id / "artifacts" / "model"
    assert (folder / "model.lgb").read_bytes() == content
    assert not [file for file in folder.rglob("*") if file.is_file() and b"\x80" in file.read_bytes()[:1]]
    returned = mlflow.lightgbm.load_model(str(folder))
    assert LightGBMFlavour().dump(returned) == content


def test_a_model_says_which_columns_it_takes(registry):
    from mlflow.models import get_model_info

    made = registry.record(record_of("signed", sample=ROWS.features.assign(origin="EWR")))
    folder = registry.home / "mlflow-artifacts" / "signed" / made.run_id / "artifacts" / "model"
    columns = get_model_info(str(folder)).signature.inputs.to_dict()
    types = {column["name"]: column["type"] for column in columns}
    assert types == {"distance": "double", "wind": "double", "late": "boolean", "origin": "string"}


def test_an_alias_moves_from_version_to_version(registry):
    first, second = (registry.record(record_of("aliased")).version for _ in range(2))
    registry.mirror("aliased", "production", first)
    registry.mirror("aliased", "staging", first)
    registry.mirror("aliased", "production", second)
    assert registry.aliases("aliased") == {"production": second, "staging": first}


def test_a_system_that_was_never_recorded_has_no_alias(registry):
    assert registry.aliases("never") == {}


def test_an_alias_of_no_version_is_a_registry_error(recorded, registry):
    with pytest.raises(RegistryError, match="point 'production' of 'recorded' at version 99"):
        registry.mirror("recorded", "production", "99")


def test_a_record_that_fails_on_its_way_leaves_a_failed_run_and_no_version(registry, client):
    with pytest.raises(RegistryError, match="record a run of 'failing'"):
        registry.record(record_of("failing", metrics={"a=b": 1.0}))
    [run] = client.search_runs([client.get_experiment_by_name("failing").experiment_id])
    assert run.info.status == "FAILED"
    assert not client.search_model_versions("name = 'failing'")


def test_content_that_is_no_model_leaves_no_run(registry, client):
    with pytest.raises(ArtefactError):
        registry.record(record_of("garbled", content=b"{}"))
    assert client.get_experiment_by_name("garbled") is None


def test_two_homes_in_one_process_know_nothing_of_each_other(copied, registry):
    made = copied.record(record_of("elsewhere"))
    copied.mirror("elsewhere", "production", made.version)
    assert copied.aliases("elsewhere") == {"production": "1"}
    assert registry.aliases("elsewhere") == {}
    assert (copied.home / "mlflow-artifacts" / "elsewhere").is_dir()


def test_the_teams_own_use_of_mlflow_goes_on_undisturbed(copied):
    import mlflow

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    made = copied.record(record_of("undisturbed"))
    copied.mirror("undisturbed", "production", made.version)
    assert (mlflow.get_tracking_uri(), mlflow.get_registry_uri()) == before
    assert mlflow.active_run() is None


def test_a_locked_database_is_a_registry_error_that_says_what_to_do(copied):
    with closing(sqlite3.connect(copied.database)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RegistryError, match=r"locked.*End what holds it"):
            copied.record(record_of("locked"))


def test_a_broken_database_is_a_registry_error_at_once(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"no database, but as long as a header would be " * 50)
    with pytest.raises(RegistryError, match="file is not a database"):
        MLflowRegistry(tmp_path).aliases("any")


def test_of_two_that_create_the_database_at_once_the_second_takes_the_firsts(registry, tmp_path):
    second = Thread(target=MLflowRegistry(tmp_path).create)
    with closing(sqlite3.connect(tmp_path / "mlflow.lock")) as first:
        first.execute("BEGIN EXCLUSIVE")
        second.start()
        shutil.copyfile(registry.database, tmp_path / "aside")
        (tmp_path / "aside").rename(tmp_path / "mlflow.db")
    second.join()
    assert (tmp_path / "mlflow.db").read_bytes() == registry.database.read_bytes()
