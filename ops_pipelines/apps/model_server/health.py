"""Whether a worker lives, whether it can answer, and what is wrong where it answers all the same."""

import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ops_pipelines.apps.log_writer import LogWriter
from ops_pipelines.apps.model_server.board import Board, Slot
from ops_pipelines.apps.model_server.feature_lookup import FeatureLookup
from ops_pipelines.apps.model_server.http import Refused
from ops_pipelines.core.fingerprint import short

if TYPE_CHECKING:
    from ops_pipelines.apps.model_server.metrics import Metrics

_DATATYPES = {"int": "INT64", "float": "FP64", "bool": "BOOL", "string": "BYTES", "timestamp": "BYTES"}


class Health:
    """Answers about the state of a worker; each is a status and plain JSON."""

    def __init__(self, board: Board, lookup: FeatureLookup | None, log: LogWriter, metrics: "Metrics") -> None:
        self._board, self._lookup, self._log, self._metrics = board, lookup, log, metrics
        self.looked = False
        """Whether the stores were looked at once, so that an empty board means that nothing is live."""
        self.watch_problem: str | None = None
        """Why the last look at the stores came to no end; what is live goes on answering."""
        self._counted_to: dict[str, str] = {}

    def live(self) -> tuple[int, Any]:
        """The process answers."""
        return 200, {"live": True}

    def ready(self) -> tuple[int, Any]:
        """Every system that is served answers by some release."""
        slots = list(self._board.slots.values())  # the watching thread adds to them meanwhile
        silent = sorted(slot.system for slot in slots if slot.routes is None)
        if slots and not silent:
            return 200, {"ready": True}
        return 503, {"ready": False, "error": f"No release answers for {', '.join(silent) or 'any system'}"}

    def server(self) -> tuple[int, Any]:
        """The server, in the protocol's words."""
        return 200, {"name": "ops_pipelines", "version": version("ops-pipelines"), "extensions": []}

    def model(self, system: str, version: str | None = None) -> tuple[int, Any]:
        """What a system takes and gives, in the protocol's words."""
        slot = self._board.slot(system)
        release = slot.release(version)
        inputs = [
            {"name": column.name, "datatype": _DATATYPES[column.kind], "shape": [-1]}
            for column in release.signature.columns
        ]
        outputs = [
            {"name": "score", "datatype": "FP64", "shape": [-1]},
            {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
        ]
        versions = sorted(map(short, list(slot.warm)))
        told = {"name": system, "versions": versions, "platform": "ops_pipelines", "inputs": inputs, "outputs": outputs}
        return 200, told | {"parameters": {"release": release.digest, "entity": release.entity}}

    def model_ready(self, system: str, version: str | None = None) -> tuple[int, Any]:
        """Whether a system, or a version of it, answers."""
        slot = self._board.slot(system)
        try:
            slot.release(version)
        except Refused as error:
            return error.status, {"name": system, "ready": False, "error": str(error)}
        return 200, {"name": system, "ready": True}

    def details(self) -> tuple[int, Any]:
        """Everything that a person on call wants to know of this worker; 200 also where something is wrong."""
        state = self._log.state()
        told = (self.watch_problem, self._board.store_problem, state.failing, self._features_problem())
        problems = [problem for problem in told if problem]
        systems = {name: slot.describe() for name, slot in sorted(self._board.slots.items())}
        problems += [f"{name}: {problem}" for name, slot in systems.items() for problem in slot["problems"]]
        return 200, {
            "status": "degraded" if problems else "ok",
            "problems": problems,
            "worker": os.getpid(),
            "environment": self._board.environment,
            "systems": systems,
            "release_store": self._board.store_problem or "ok",
            "features": self._features_problem() or ("ok" if self._lookup else "off"),
            "log": {
                "pending": state.pending,
                "oldest_seconds": state.oldest_seconds,
                "written": state.written,
                "refused": state.refused,
                "failing": state.failing,
                "left_out": state.left_out,
                "fault": state.fault,
            },
        }

    def update(self) -> None:
        """Brings the gauges to what is so; called after each look at the stores."""
        self.looked = True
        state, metrics = self._log.state(), self._metrics
        metrics.store_up.set(self._board.store_problem is None)
        metrics.features_up.set(self._lookup is not None and self._lookup.problem is None)
        metrics.log_up.set(state.failing is None)
        metrics.log_pending.set(state.pending)
        metrics.log_oldest.set(state.oldest_seconds)
        metrics.log_left_out.set(state.left_out)
        for slot in self._board.slots.values():
            self._tell_live(slot)

    def _tell_live(self, slot: Slot) -> None:
        """Counts this worker to the release that answers, and no longer to the one before, warm or not."""
        if slot.routes is None:
            return
        live, before = slot.routes.live.version, self._counted_to.get(slot.system)
        if before is not None and before != live:
            self._metrics.live.labels(slot.system, before).set(0)
        self._metrics.live.labels(slot.system, live).set(1)
        self._counted_to[slot.system] = live

    def _features_problem(self) -> str | None:
        return self._lookup.problem if self._lookup else None
