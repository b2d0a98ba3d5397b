"""What the server counts, in Prometheus' words, over all its worker processes.

The library's multiprocess mode keeps each worker's numbers in a memory-mapped file under PROMETHEUS_MULTIPROC_DIR, so a
scrape that one worker answers tells of all. The folder is set before the library is first imported.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram, Metric

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The counters of one worker."""

    requests: "Counter"
    seconds: "Histogram"
    predictions: "Counter"
    unlogged: "Counter"
    canary_failures: "Counter"
    swaps: "Counter"
    live: "Gauge"
    store_up: "Gauge"
    features_up: "Gauge"
    log_up: "Gauge"
    log_pending: "Gauge"
    log_oldest: "Gauge"
    log_left_out: "Gauge"
    _requests: dict[tuple[str, str, int], Any]
    _seconds: dict[tuple[str, str], Any]
    _answered: dict[tuple[str, str, str], Any]

    def answered(self, system: str, release: str, arm: str, rows: int) -> None:
        """Some rows of a system, answered by a release."""
        counter = self._answered.get((system, release, arm))
        if counter is None:
            counter = self._answered[system, release, arm] = self.predictions.labels(system, release, arm)
        counter.inc(rows)

    def request(self, system: str, door: str, status: int, took: float) -> None:
        """One request of a system, through a door, answered with a status after so many seconds."""
        counter = self._requests.get((system, door, status))
        if counter is None:
            counter = self._requests[system, door, status] = self.requests.labels(system, door, str(status))
        timer = self._seconds.get((system, door))
        if timer is None:
            timer = self._seconds[system, door] = self.seconds.labels(system, door)
        counter.inc()
        timer.observe(took)


def make_metrics() -> Metrics:
    """The metrics of this worker, registered with nobody but the folder that all workers share."""
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

    own = CollectorRegistry()
    lowest: dict[str, Any] = {"registry": own, "multiprocess_mode": "livemin"}
    highest: dict[str, Any] = {"registry": own, "multiprocess_mode": "livemax"}
    added: dict[str, Any] = {"registry": own, "multiprocess_mode": "livesum"}
    return Metrics(
        requests=Counter("ops_requests", "Requests by their answer", ["system", "door", "status"], registry=own),
        seconds=Histogram(
            "ops_request_seconds",
            "From the last byte in to the answer",
            ["system", "door"],
            buckets=_SECONDS,
            registry=own,
        ),
        predictions=Counter("ops_predictions", "Rows answered", ["system", "release", "arm"], registry=own),
        unlogged=Counter("ops_unlogged", "Rows answered that the log did not take", ["system"], registry=own),
        canary_failures=Counter(
            "ops_canary_failures", "Requests whose candidate failed", ["system", "release"], registry=own
        ),
        swaps=Counter("ops_swaps", "Changes of the live release, over all workers", ["system"], registry=own),
        live=Gauge("ops_live_release", "Workers that answer by this release", ["system", "release"], **added),
        store_up=Gauge("ops_release_store_up", "1 where every worker can read the pointer", **lowest),
        features_up=Gauge("ops_features_up", "1 where every worker can look features up", **lowest),
        log_up=Gauge("ops_log_up", "1 where every worker's log takes answers", **lowest),
        log_pending=Gauge("ops_log_pending", "Answers that are not yet in the log, over all workers", **added),
        log_oldest=Gauge("ops_log_oldest_seconds", "The age of the oldest of them", **highest),
        log_left_out=Gauge("ops_log_left_out", "Answers that can be kept in no log, over all live workers", **added),
        _requests={},
        _seconds={},
        _answered={},
    )


def exposition() -> bytes:
    """All workers' numbers in Prometheus' text format; what libraries count beside them is left out."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    class Own:
        def collect(self) -> "list[Metric]":
            found = everybody.merge(_begun(Path(os.environ[FOLDER])), accumulate=True)
            return [metric for metric in found if metric.name.startswith("ops_")]

    everybody = MultiProcessCollector(CollectorRegistry())
    registry = CollectorRegistry()
    registry.register(Own())
    return generate_latest(registry)


def _begun(folder: Path) -> list[str]:
    """The files in which anything is: a worker that was killed while it made its own leaves an empty one for good."""
    files = []
    for file in folder.glob("*.db"):
        with suppress(FileNotFoundError):  # a worker that ends takes its gauges away
            if file.stat().st_size:
                files.append(str(file))
    return files


def forget_worker() -> None:
    """Takes a worker that ends out of the gauges that count live workers."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(os.getpid())


def forget_dead_workers() -> None:
    """The same for workers that were killed and could not do it themselves."""
    from prometheus_client import multiprocess

    folder = Path(os.environ[FOLDER])
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*.db")}:
        if not _lives(pid):
            multiprocess.mark_process_dead(pid)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True
