"""The two ways to ask for predictions: a vector by the Open Inference Protocol, and entity keys as plain JSON.

A request takes its release once, from the slot's one reference, and everything in its answer is that release's.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import json

from ops_pipelines.adapters.served_release import ServedRelease
from ops_pipelines.apps.log_writer import LogWriter
from ops_pipelines.apps.model_server.board import Board, Slot
from ops_pipelines.apps.model_server.feature_lookup import FeatureLookup, check_known
from ops_pipelines.apps.model_server.http import Refused
from ops_pipelines.apps.model_server.protocol import (
    InferRequest,
    InferResponse,
    Output,
    Parameters,
    Prediction,
    PredictRequest,
    PredictResponse,
    columns_of,
    decode,
    decoder,
)
from ops_pipelines.apps.model_server.scored import Asked, Scored, failed, score
from ops_pipelines.core.errors import OpsError, SchemaMismatch
from ops_pipelines.mlops.prediction_log import CANARY, LIVE, PINNED

QUEUED, DURABLE, NOT_LOGGED = "queued", "durable", "no"
ROOM_SECONDS = 5.0
"""How long an answer waits for room in the log before its caller is asked to come again."""


class Moments(Protocol):
    """The logical instant that answers are about, and the wall clock's."""

    def as_of(self) -> datetime: ...

    def wall(self) -> datetime: ...


class Doors:
    """Answers requests by what the board holds, and hands every answer to the log."""

    def __init__(
        self, board: Board, lookup: FeatureLookup | None, log: LogWriter, clock: Moments, counted: Any
    ) -> None:
        self._board, self._lookup, self._log, self._clock, self._metrics = board, lookup, log, clock, counted
        self._infer, self._predict = decoder(InferRequest), decoder(PredictRequest)

    async def infer(self, system: str, body: bytes, *, version: str | None = None) -> bytes:
        """The answer to a request of the Open Inference Protocol."""
        slot = self._board.slot(system)
        live = slot.release()
        request = decode(body, self._infer)
        columns, rows = columns_of(request)
        wanted = request.parameters or Parameters()
        entities = columns.pop(live.entity, None) if live.entity and live.entity not in live.signature.names else None
        release, arm = self._choose(slot, _key_of(entities) or request.id, version)
        asked = Asked(columns, rows, entities, allow_missing=wanted.allow_missing)
        scored = self._score(slot, release, arm, asked)
        logged = await self._keep(scored, durable=wanted.durable)
        return json.encode(
            InferResponse(
                model_name=system,
                model_version=scored.release.version,
                id=request.id,
                outputs=[
                    Output("score", [rows], "FP64", list(scored.scores)),
                    Output("prediction_id", [rows], "BYTES", list(scored.ids)),
                ],
                parameters={"release": scored.release.digest, "logged": logged},
            )
        )

    async def predict(self, system: str, body: bytes) -> bytes:
        """The answer to rows of entity keys, whose features are looked up as they are known now."""
        slot = self._board.slot(system)
        entity = slot.release().entity
        request = decode(body, self._predict)
        if self._lookup is None:
            raise Refused(
                501,
                "This server looks no features up",
                expected="`ops serve` without --no-features",
                action="Send vectors",
            )
        entities = [row.get(entity) for row in request.rows] if entity else None
        release, arm = self._choose(slot, _key_of(entities), None)
        try:
            scored, absent = await self._look_up_and_score(slot, release, arm, request, entities)
        except OpsError:
            if arm != CANARY:
                raise
            # The candidate's own features may be what cannot be had; the live release looks up its own.
            scored, absent = await self._look_up_and_score(slot, slot.release(), LIVE, request, entities)
            self._note_failure(release, Asked({}, len(request.rows), entities, request.rows))
        logged = await self._keep(scored, durable=request.durable)
        return json.encode(PredictResponse(system, scored.release.digest, _predictions(scored, absent), logged))

    async def _look_up_and_score(
        self, slot: Slot, release: ServedRelease, arm: str, request: PredictRequest, entities: Sequence[Any] | None
    ) -> tuple[Scored, Sequence[Mapping[str, str]]]:
        """The answers of a release by its own features, and for each row the views that gave it nothing."""
        assert self._lookup is not None
        found = await self._lookup.look_up(release.service, request.rows, self._clock.as_of(), entity=release.entity)
        if not request.allow_missing:
            check_known(found, release.service, release.entity)
        # A feature that is missing within a fresh view is missing as it was in training.
        columns = {name: found.values[name] for name in release.signature.names}
        asked = Asked(columns, len(request.rows), entities, request.rows, allow_missing=True)
        return self._score(slot, release, arm, asked), found.absent

    def _choose(self, slot: Slot, key: str | None, version: str | None) -> tuple[ServedRelease, str]:
        """The release for a key, or the warm one of a version; a request without a key gets the live one."""
        live = slot.release()
        if version is not None:
            asked = slot.release(version)
            return asked, LIVE if asked is live else PINNED
        return slot.routes.choose(key) if slot.routes is not None and key is not None else (live, LIVE)

    def _score(self, slot: Slot, release: ServedRelease, arm: str, asked: Asked) -> Scored:
        """The answers; those of a candidate that fails are given by the live release, and its failure is kept."""
        try:
            scored = score(release, arm, asked, **self._moments())
        except SchemaMismatch:
            if arm != CANARY:
                raise
            scored = score(slot.release(), LIVE, asked, **self._moments())  # raises where the request is at fault
            self._note_failure(release, asked)
        self._metrics.answered(scored.release.system, scored.release.version, scored.arm, len(scored))
        return scored

    def _note_failure(self, candidate: ServedRelease, asked: Asked) -> None:
        """Counts and keeps that a canary's candidate could not answer what the live release could."""
        self._metrics.canary_failures.labels(candidate.system, candidate.version).inc()
        self._log.offer(failed(candidate, CANARY, asked, **self._moments()))

    def _moments(self) -> dict[str, datetime]:
        return {"asked_at": self._clock.as_of(), "served_at": self._clock.wall()}

    async def _keep(self, scored: Scored, *, durable: bool) -> Any:
        """What became of the answers: queued for the log, on the disk, or, where the log is failing, not logged."""
        if durable or len(scored) > self._log.most_pending:  # more than may ever wait are waited for
            await self._log.durably(scored)
            return DURABLE
        if self._log.offer(scored) or (await self._log.room(len(scored), ROOM_SECONDS) and self._log.offer(scored)):
            return QUEUED
        if self._log.state().failing:
            self._metrics.unlogged.labels(scored.release.system).inc(len(scored))
            return NOT_LOGGED
        raise Refused(
            503, "The prediction log is behind", expected="room for the answer", action="Come again in a second"
        )


def _predictions(scored: Scored, absent: Sequence[Mapping[str, str]]) -> list[Prediction]:
    entities = scored.entities or [None] * len(scored)
    answers = zip(scored.ids, scored.scores, entities, absent, strict=True)
    return [Prediction(made, value, entity, dict(missing)) for made, value, entity, missing in answers]


def _key_of(entities: Sequence[Any] | None) -> str | None:
    """What a canary's lot is drawn by: the first row's entity; None where it has none."""
    return None if not entities or entities[0] is None else str(entities[0])
