"""What /openapi.json describes is what the server does: Schemathesis makes requests up from it, and breaks them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ops_pipelines.testing.served import SYSTEM, ServedHome
from ops_pipelines.testing.servers import free_port, running

OPS = "from ops_pipelines.cli import main; main()"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "negative_data_rejection",
)


def schemathesis():
    """The command: of OPS_SCHEMATHESIS, of this environment, or of the path."""
    beside = shutil.which("schemathesis", path=Path(sys.executable).parent)
    return os.environ.get("OPS_SCHEMATHESIS") or beside or shutil.which("schemathesis")


def test_the_document_names_the_systems_and_the_doors_that_are_open(answering):
    told = answering.get("/openapi.json").json()
    infer = told["paths"]["/v2/models/{system}/infer"]
    assert infer["parameters"][0]["schema"]["enum"] == [SYSTEM]
    assert "/v1/predict/{system}" in told["paths"]
    answering.worker.lookup, kept = None, answering.worker.lookup
    assert "/v1/predict/{system}" not in answering.get("/openapi.json").json()["paths"]
    answering.worker.lookup = kept


def test_a_system_says_what_it_takes(answering):
    told = answering.get(f"/v2/models/{SYSTEM}").json()
    assert [(one["name"], one["datatype"]) for one in told["inputs"]] == [("distance", "FP64"), ("wind", "FP64")]
    assert told["versions"] == [answering.worker.board.slots[SYSTEM].routes.live.version]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2", 200),
        ("/v2/health/live", 200),
        ("/v2/health/ready", 200),
        (f"/v2/models/{SYSTEM}/ready", 200),
        (f"/v2/models/{SYSTEM}/versions/ffff/ready", 404),
        ("/v2/models/nobody", 404),
        ("/v2/models/nobody/ready", 404),
        ("/nothing", 404),
    ],
)
def test_what_is_asked_by_get_is_answered_in_json_or_not_found(answering, path, status):
    told = answering.get(path)
    assert told.status_code == status
    assert status == 200 or path == "/nothing" or told.json()["error"]


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.skipif(schemathesis() is None, reason="no schemathesis is installed: see the extra `dev`")
def test_nothing_that_schemathesis_makes_up_is_a_server_error_or_undocumented(tmp_path):
    home, port = ServedHome.at(tmp_path), free_port()
    home.make_live(home.publish_linear(0.0))
    words = [sys.executable, "-c", OPS, "serve", SYSTEM, "--no-features", "--port", str(port)]
    document = f"http://127.0.0.1:{port}/openapi.json"
    settings = ["--checks", ",".join(CHECKS), "--max-examples", "50", "--seed", "7", "--no-color"]
    with running(words, port, "/v2/health/ready", OPS_HOME=str(tmp_path)):
        done = subprocess.run(
            [schemathesis(), "run", document, *settings, "--generation-database", "none"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-6000:]
