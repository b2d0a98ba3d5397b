"""The server as a whole: one listening socket, and worker processes that are started anew where one dies."""

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from typing import Any

from ops_pipelines.apps.model_server.metrics import FOLDER
from ops_pipelines.apps.model_server.settings import VARIABLE, Settings
from ops_pipelines.core.errors import ConfigError

_APP = "ops_pipelines.apps.model_server.app:from_environment"
_HEALTHCHECK_SECONDS = 30
"""For how long a worker may not answer its parent before it is taken for hung: a large model is loaded meanwhile."""
_BACKLOG = 2_048
"""How many callers may wait to be let in, while workers start or are busy."""


def serve(settings: Settings, *, listens: Callable[[], None] = lambda: None) -> None:
    """Serves until it is interrupted: SIGTERM and SIGINT end it after the requests that are under way.

    `listens` is called once callers may connect; they wait until a release is loaded. ConfigError where the port is not free.
    """
    import uvicorn

    from ops_pipelines.apps.model_server.connections import LingeringConnection
    from ops_pipelines.apps.model_server.supervisor import Supervisor

    listening, counted = listen_on(settings.host, settings.port), tempfile.mkdtemp(prefix="ops-serve-")
    os.environ.update({VARIABLE: settings.to_environment(), FOLDER: counted})
    config = uvicorn.Config(
        _APP,
        factory=True,
        http=LingeringConnection,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.max_concurrency,
        timeout_graceful_shutdown=int(settings.grace_seconds),
        timeout_worker_healthcheck=_HEALTHCHECK_SECONDS,
        lifespan="on",
    )
    # One server alone raises the signal again that it has ended by, and nothing after it would be done.
    signal.signal(signal.SIGTERM, _exit)
    try:
        listens()
        if settings.workers == 1:
            uvicorn.Server(config).run(sockets=[listening])
        else:
            Supervisor(config, sockets=[listening]).run()
    finally:
        listening.close()
        shutil.rmtree(counted, ignore_errors=True)


def _exit(*_: Any) -> None:
    raise SystemExit(0)


def listen_on(host: str, port: int) -> socket.socket:
    """A socket on which callers may wait to be let in; ConfigError where the port is not free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(_BACKLOG)  # at once: two servers that are started together may both bind, and one listen
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"{host}:{port} cannot be listened on: {error.strerror}",
            expected="a free port on an address of this machine",
            action="End what listens there, or choose another with --port",
        ) from error
    listening.set_inheritable(True)
    return listening
