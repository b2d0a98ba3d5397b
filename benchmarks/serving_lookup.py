"""What answering by entity keys costs beside the lookup of their features: the same lookup, in a process by itself.

Without HTTP, without a model, without a log. Several clients share one thread for the lookup, each waiting for its
answer before it asks again: with a thread each, the slowest of a hundred took two to three times as long.
"""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.processes import timed
from benchmarks.rows import Row, at_most_times, void
from benchmarks.serving_data import ROOT, SYSTEM, Served, opened, predict_body
from ops_pipelines.testing.load import load, p99, post
from ops_pipelines.testing.servers import Server

if TYPE_CHECKING:
    from datetime import datetime

    from ops_pipelines.adapters.feast_online import OnlineReader

ALONE_TIMES, TOGETHER_TIMES = 3, 3
TOGETHER = 8


def lookup_rows(served: Served, ours: Server, *, rounds: int, total: int) -> Iterator[Row]:
    """The claims about one client and about several, ours and the lookup in turn; medians of the rounds."""
    requests = [post(f"/v1/predict/{SYSTEM}", predict_body(keys)) for keys in served.keys]
    with ProcessPoolExecutor(1, get_context("spawn"), _enter, (str(served.home),)) as apart:
        for clients, times in ((1, ALONE_TIMES), (TOGETHER, TOGETHER_TIMES)):
            apart.submit(look_up_alone, served.keys, clients, TOGETHER).result()  # the reader is opened
            turns = [
                (
                    load(ours.port, requests, clients=clients, total=total),
                    apart.submit(look_up_alone, served.keys, clients, total).result(),
                )
                for _ in range(rounds)
            ]
            yield _row(clients, times, turns)


def look_up_alone(keys: Sequence[Mapping[str, Any]], clients: int, total: int) -> list[float]:
    """The seconds of each of so many lookups of one row, from call to answer; run in the process of `_enter`."""
    reader, asked_at = _reader()
    rows = [[keys[number % len(keys)]] for number in range(total)]
    if clients == 1:
        return [timed(partial(reader.look_up, row, asked_at)) for row in rows]
    return asyncio.run(_together(lambda row: reader.look_up(row, asked_at), rows, clients))


async def _together(
    look_up: Callable[[Sequence[Mapping[str, Any]]], Any], rows: Sequence[Sequence[Mapping[str, Any]]], clients: int
) -> list[float]:
    took, waiting, loop = [], iter(rows), asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as thread:

        async def client() -> None:
            for row in waiting:
                began = time.perf_counter()
                await loop.run_in_executor(thread, look_up, row)
                took.append(time.perf_counter() - began)

        await asyncio.gather(*(client() for _ in range(clients)))
    return took


def _row(clients: int, times: float, turns: Sequence[tuple[Any, Sequence[float]]]) -> Row:
    name = f"answer by entity keys, {clients} client{'s' * (clients > 1)}, p99 against the lookup alone, s"
    failed = sum(answered.failed for answered, _ in turns)
    if failed:
        return void(name, f"ours <= {times:g} x peer", f"{failed} requests failed")
    ours, alone = ([*of] for of in zip(*turns, strict=True))
    middle = (
        f"medians {median(median(each.took) for each in ours):.2g} and {median(median(each) for each in alone):.2g}"
    )
    return at_most_times(
        name, median(each.p99 for each in ours), median(p99(each) for each in alone), times, note=middle
    )


def _enter(home: str) -> None:
    """The process is that of a project whose state lies in a home."""
    os.chdir(ROOT)
    os.environ["OPS_HOME"] = home


@cache
def _reader() -> "tuple[OnlineReader, datetime]":
    platform = opened(os.environ["OPS_HOME"])
    return platform.features.reader(SYSTEM), platform.clock.as_of()
