"""One worker of the model server without a process: its releases are tiny, its features and its log are scripted."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.pointer_watch import PointerWatch
from ops_pipelines.adapters.project import find_project
from ops_pipelines.apps.model_server.app import Worker, make_app
from ops_pipelines.apps.model_server.doors import Doors
from ops_pipelines.apps.model_server.feature_lookup import FeatureLookup
from ops_pipelines.apps.model_server.health import Health
from ops_pipelines.apps.model_server.settings import Settings
from ops_pipelines.apps.model_server.stores import PlatformStores
from ops_pipelines.testing.online_features import ScriptedFeatures
from ops_pipelines.testing.scripted_log import ScriptedLog
from ops_pipelines.testing.served import ROW, SYSTEM, TRIPS, ServedHome

KNOWN = {"trips": {"t1": dict(ROW), "t2": {"distance": 250.0, "wind": None}, "old": "expired: known at 2012-01-01"}}


class Served:
    """A worker with its home. Nothing happens in it by itself: `look` does what its threads would do."""

    def __init__(self, folder: Any) -> None:
        (folder / "pyproject.toml").write_text('[tool.ops]\nhome = "home"\n')
        project = find_project(folder)
        self.path = project.home
        self.home = ServedHome.at(project.home)
        self.features = ScriptedFeatures({"trips": TRIPS}, KNOWN)
        self.log = ScriptedLog()
        settings = Settings(systems=(SYSTEM,), max_body_bytes=100_000)
        platform = replace(Platform.embedded(project), features=self.features)
        stores = PlatformStores(platform, settings, PointerWatch(project.home / "control.db"))
        self.worker = worker = Worker(settings, stores)
        worker.lookup = FeatureLookup(self.features, timeout_seconds=60)  # on a slow machine too
        worker.log = self.log
        worker.doors = Doors(worker.board, worker.lookup, self.log, worker.clock, worker.metrics)
        worker.health = Health(worker.board, worker.lookup, self.log, worker.metrics)
        self._app, self._runner = make_app(worker), asyncio.Runner()

    def look(self) -> None:
        """Brings the worker to what the stores say now."""
        board = self.worker.board
        board.look()
        while any(slot.loading for slot in board.slots.values()):
            board.rest(1)
            board.look()
        self.worker.lookup.refresh({"trips"})
        self.worker.health.update()

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._runner.run(self._ask("GET", path, None, headers))

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """The answer to a body of bytes, or to a value as JSON."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        typed = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        return self._runner.run(self._ask("POST", path, content, typed))

    def infer(self, body: Any, *, version: str = "") -> httpx.Response:
        way = f"/versions/{version}" if version else ""
        return self.post(f"/v2/models/{SYSTEM}{way}/infer", body)

    def predict(self, *rows: dict[str, Any], **beside: Any) -> httpx.Response:
        return self.post(f"/v1/predict/{SYSTEM}", {"rows": list(rows), **beside})

    def close(self) -> None:
        self._runner.close()
        self.worker.loader.shutdown()
        self.worker.lookup.close()

    async def _ask(self, method: str, path: str, content: Any, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await client.request(method, path, headers=headers, **(content or {}))


@pytest.fixture
def served(tmp_path):
    """A worker whose home is empty."""
    made = Served(tmp_path)
    yield made
    made.close()


@pytest.fixture
def answering(served):
    """A worker that answers by the linear release of 0."""
    served.home.make_live(served.home.publish_linear(0.0))
    served.look()
    return served
