"""The live release changed under load: how long the old one still answers, what fails, and whether answers are mixed.

Fifty clients ask two workers without a pause while another process moves the pointer to and fro. Every request holds three
rows and a number; its answer has to hold the scores that one release's model gives for these rows, and that release's
digest in every id. The time counts from just before the move is written.
"""

import asyncio
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from benchmarks.processes import measured
from benchmarks.rows import Row, at_most
from benchmarks.serving_data import ROOT, SYSTEM, Served, infer_body, move_pointer, opened
from benchmarks.serving_peers import score_alone
from ops_pipelines.testing.load import Answered, post, send
from ops_pipelines.testing.servers import Server

CLIENTS, ROWS = 50, 3
LIMIT_SECONDS = 1.0
_PAUSE_SECONDS = 1.5
_DIGITS = 12
_WARMING = 2
"""Moves that do not count: after them both releases are warm."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Knows what each release's model says of each row, without a server."""

    scores: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, served: Served) -> "Judge":
        """The judge of a home's releases."""
        both = zip(served.releases, served.boosters, strict=True)
        return cls({release: score_alone(booster, served.rows) for release, booster in both})

    def release_of(self, body: Mapping[str, Any]) -> str | None:
        """The release that made every part of an answer; None where its parts are not of one release."""
        release, first = body["parameters"]["release"], int(body["id"])
        scores, ids = (output["data"] for output in body["outputs"])
        expected = self.scores[release][first : first + ROWS]
        stamped = all(made.endswith(f"/{release[:_DIGITS]}") for made in ids)
        return release if stamped and scores == expected and len(ids) == ROWS else None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it is judged: when it came, and which release made all of it; None where none did."""

    came: float
    release: str | None


def swap_rows(served: Served, ours: Server, *, moves: int) -> Iterator[Row]:
    """The claims about so many moves."""
    answers, moved = asyncio.run(_asked_while_moving(served, ours, moves))
    whole = [answer for answer in answers if answer.status == 200]
    judge = Judge.of(served)
    replies = [Reply(answer.came, judge.release_of(json.loads(answer.body))) for answer in whole]
    took = [lasted(replies, start, end, release) for (start, release), (end, _) in pairwise(moved)]
    head = f"{moves} moves of the pointer, {CLIENTS} clients, two workers"
    note = f"median {median(took):.2g} s, {len(answers)} requests"
    yield at_most(f"{head}, worst time until the old release's last answer, s", max(took), LIMIT_SECONDS, note=note)
    yield at_most(f"{head}, failed requests", len(answers) - len(whole), 0)
    yield at_most(f"{head}, answers that mix releases", sum(reply.release is None for reply in replies), 0)


def move_to_and_fro(home: str, releases: Sequence[str], moves: int) -> list[tuple[float, str]]:
    """The instant before each move and the release that it names, and last an instant at which all has settled."""
    platform = opened(home)
    moved = []
    for number in range(_WARMING + moves):
        time.sleep(_PAUSE_SECONDS)
        release = releases[(number + 1) % 2]
        moved.append((time.monotonic(), release))
        move_pointer(platform, release)
    time.sleep(_PAUSE_SECONDS)
    return [*moved[_WARMING:], (time.monotonic(), "")]


async def _asked_while_moving(
    served: Served, ours: Server, moves: int
) -> tuple[list[Answered], list[tuple[float, str]]]:
    """Every answer, and every move that counts, from a process of its own."""
    requests = [_request(served, first) for first in range(len(served.rows) - ROWS + 1)]
    answers: list[Answered] = []
    moving = asyncio.create_task(
        asyncio.to_thread(
            measured, "benchmarks.serving_swaps:move_to_and_fro", str(served.home), served.releases, moves, home=ROOT
        )
    )
    await send(ours.port, requests, answers.append, clients=CLIENTS, goes_on=lambda: not moving.done())
    return answers, [(at, release) for at, release in (await moving).answer]


def _request(served: Served, first: int) -> bytes:
    return post(f"/v2/models/{SYSTEM}/infer", infer_body(served.rows[first : first + ROWS], id=str(first)))


def lasted(replies: Sequence[Reply], moved: float, next_moved: float, release: str) -> float:
    """The seconds from a move to the last answer by another release than it names; infinite where it never answered."""
    meanwhile = [reply for reply in replies if moved <= reply.came < next_moved]
    if not any(reply.release == release for reply in meanwhile):
        return math.inf
    return max((reply.came for reply in meanwhile if reply.release != release), default=moved) - moved
