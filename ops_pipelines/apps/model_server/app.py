"""The ASGI application of one worker: what it starts, what it answers, and how it ends.

A worker holds everything that it answers from. The threads beside the event loop (one that watches the pointer, one that
follows features, one that writes the log, two that load) never hold a request up.
"""

import gc
import os
import threading
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from msgspec import json
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ops_pipelines.adapters.pointer_watch import PointerWatch
from ops_pipelines.apps.log_writer import LogWriter
from ops_pipelines.apps.model_server.board import Board
from ops_pipelines.apps.model_server.callers import Callers
from ops_pipelines.apps.model_server.doors import Doors
from ops_pipelines.apps.model_server.events import tell
from ops_pipelines.apps.model_server.feature_lookup import FeatureLookup
from ops_pipelines.apps.model_server.health import Health
from ops_pipelines.apps.model_server.hot_path import HotPath
from ops_pipelines.apps.model_server.http import Refused, read_body, refusal, respond
from ops_pipelines.apps.model_server.metrics import (
    Metrics,
    exposition,
    forget_dead_workers,
    forget_worker,
    make_metrics,
)
from ops_pipelines.apps.model_server.openapi import describe_api
from ops_pipelines.apps.model_server.parent import end_without_parent
from ops_pipelines.apps.model_server.settings import Settings
from ops_pipelines.apps.model_server.stores import PlatformStores, WatchedClock
from ops_pipelines.core.errors import OpsError

Answer = Callable[[Scope, bytes], Awaitable[bytes]]
START_SECONDS = 60.0
"""How long a worker waits for its first releases before it begins to answer all the same, not ready."""


class Worker:
    """Everything that one worker process holds, from its start to its end."""

    def __init__(self, settings: Settings, stores: PlatformStores) -> None:
        self.settings, self.stores = settings, stores
        self.metrics: Metrics = make_metrics()
        self.stopping = threading.Event()
        self.loader = ThreadPoolExecutor(2, thread_name_prefix="loader")
        self.board = Board(
            stores.platform.releases, stores, self.loader, environment=settings.environment, tell=self._told
        )
        self.clock = WatchedClock(stores.platform.clock)
        self.callers = _callers(settings, stores, self.clock) if settings.tokens else None
        self.lookup = FeatureLookup(stores.platform.features) if settings.features else None
        self.log = LogWriter(stores.platform.predictions, most_pending=settings.most_pending)
        self.doors = Doors(self.board, self.lookup, self.log, self.clock, self.metrics)
        self.health = Health(self.board, self.lookup, self.log, self.metrics)
        self._threads = [threading.Thread(target=self._watch, name="pointer", daemon=True)]
        if self.lookup is not None:
            self._threads.append(threading.Thread(target=self._follow_features, name="features", daemon=True))

    def start(self) -> None:
        """Starts the threads, and waits until every system answers and looks its features up, or says why not."""
        self.log.start()
        for thread in self._threads:
            thread.start()
        give_up = time.monotonic() + START_SECONDS
        while not self._settled() and time.monotonic() < give_up:
            time.sleep(0.01)
        # What is here by now stays as long as the worker: the collector need not walk through it for each request's sake.
        gc.collect()
        gc.freeze()
        tell(
            "worker_ready",
            {"systems": sorted(self.board.slots), "host": self.settings.host, "port": self.settings.port},
        )

    def stop(self) -> None:
        """Ends the threads and writes what is still waiting for the log."""
        self.stopping.set()
        self.board.wake()
        for thread in self._threads:
            thread.join(1.0)  # one that would still look could only fail, its loader being gone
        unwritten = self.log.stop(timeout_seconds=self.settings.grace_seconds)
        self.loader.shutdown(wait=False, cancel_futures=True)
        if self.lookup is not None:
            self.lookup.close()
        forget_worker()
        tell("worker_stopped", {"unwritten": unwritten})

    def _settled(self) -> bool:
        looks_up = self.lookup is None or self.lookup.settled(self._services())
        return self.health.looked and self.board.settled() and looks_up

    def _watch(self) -> None:
        while not self.stopping.is_set():
            try:
                self._look()
                self.health.watch_problem = None
            except Exception as error:  # a thread that ended would follow the pointer no more, and nobody would be told
                self.health.watch_problem = f"the last look failed: {type(error).__name__}: {error}"
            end_without_parent()
            self.board.rest(self.settings.look_seconds)

    def _look(self) -> None:
        self.clock.follow()
        self.board.look()
        if self.callers is not None:
            self.callers.follow()
        self.health.update()

    def _follow_features(self) -> None:
        assert self.lookup is not None
        self.lookup.follow(self._services, self.stopping)

    def _services(self) -> set[str]:
        routes = [slot.routes for slot in list(self.board.slots.values())]
        return {one.live.service.name for one in routes if one is not None}

    def _told(self, event: str, facts: Any) -> None:
        tell(event, facts)
        if event == "release_live" and facts["from"]:
            self.metrics.swaps.labels(facts["system"]).inc()


def _callers(settings: Settings, stores: PlatformStores, clock: WatchedClock) -> Callers:
    watch = PointerWatch(stores.watch.path)
    return Callers(stores.platform.principals, watch.has_changed, clock.wall, environment=settings.environment)


class Door:
    """A hot door as a bare ASGI application: one system's request in, its answer or its refusal out, and counted."""

    def __init__(self, worker: Worker, name: str, answer: Answer) -> None:
        self._worker, self._name, self._answer = worker, name, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings, system = self._worker.settings, scope["path_params"]["system"]
        began = time.perf_counter()
        try:
            if scope["method"] != "POST":
                raise Refused(
                    405, f"{scope['method']} is not taken here", expected="POST", action="Send the body by POST"
                )
            if self._worker.callers is not None:
                self._worker.callers.check(scope, system)
            body = await read_body(scope, receive, at_most=settings.max_body_bytes, seconds=settings.body_seconds)
            began = time.perf_counter()
            status, content = 200, await self._answer(scope, body)
        except OpsError as error:
            status, content = refusal(error)
        except Exception as error:  # ours and nobody else's: it has to be counted and told, and the worker goes on
            tell("request_failed", {"system": system, "door": self._name, "trace": traceback.format_exc()})
            status, content = refusal(Refused.by_fault(error))
        known = system if system in self._worker.board.slots else "unknown"
        self._worker.metrics.request(known, self._name, status, time.perf_counter() - began)
        await respond(send, status, content)


def make_app(worker: Worker) -> ASGIApp:
    """The application around a worker, which starts and ends with it."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001
        worker.start()
        yield
        worker.stop()

    infer, predict = _hot_doors(worker)
    hosts = worker.settings.allowed_hosts
    usual = Starlette(
        routes=[
            Route("/v2/models/{system}/infer", infer),
            Route("/v2/models/{system}/versions/{version}/infer", infer),
            Route("/v1/predict/{system}", predict),
            *_told(worker),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)],
        lifespan=lifespan,
    )
    return HotPath(usual, infer=infer, predict=predict, hosts=hosts)


def _hot_doors(worker: Worker) -> tuple[Door, Door]:
    async def infer(scope: Scope, body: bytes) -> bytes:
        parts = scope["path_params"]
        return await worker.doors.infer(parts["system"], body, version=parts.get("version"))

    async def predict(scope: Scope, body: bytes) -> bytes:
        return await worker.doors.predict(scope["path_params"]["system"], body)

    return Door(worker, "infer", infer), Door(worker, "predict", predict)


def _told(worker: Worker) -> list[Route]:
    """What can be asked of the server itself, by GET."""
    health = worker.health

    async def metrics(request: Request) -> Response:  # noqa: ARG001
        forget_dead_workers()
        return Response(exposition(), media_type="text/plain; version=0.0.4")

    return [
        Route("/v2", _endpoint(health.server)),
        Route("/v2/health/live", _endpoint(health.live)),
        Route("/v2/health/ready", _endpoint(health.ready)),
        Route("/v2/models/{system}", _endpoint(health.model)),
        Route("/v2/models/{system}/ready", _endpoint(health.model_ready)),
        Route("/v2/models/{system}/versions/{version}", _endpoint(health.model)),
        Route("/v2/models/{system}/versions/{version}/ready", _endpoint(health.model_ready)),
        Route("/health", _endpoint(health.details)),
        Route(
            "/openapi.json", _endpoint(lambda: (200, describe_api(worker.board, looks_up=worker.lookup is not None)))
        ),
        Route("/metrics", metrics),
    ]


def _endpoint(make: Callable[..., tuple[int, Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            status, content = make(**request.path_params)
        except OpsError as error:
            return _answer(*refusal(error))
        return _answer(status, json.encode(content))

    return endpoint


def from_environment() -> ASGIApp:
    """The application of a worker process that `ops serve` started."""
    from ops_pipelines.apps.model_server.connections import end_gently

    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    end_gently()
    settings = Settings.from_environment()
    return make_app(Worker(settings, PlatformStores.of_project(settings)))


def _answer(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/json")
