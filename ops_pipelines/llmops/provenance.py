"""What made an answer: the kinds that this room adds to the walk of `core.walk`.

answer ─► release ─► its parts, and the prompt and snapshot that it was put together from
       ├► chunk ─► document ─► the snapshot that holds it
       └► call, one for each attempt
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.walk import Node, Room, Thing
from ops_pipelines.llmops.answer_log import Answered, day_of_answer
from ops_pipelines.llmops.call_log import Call
from ops_pipelines.llmops.corpus import Chunk, Snapshot

ANSWER, CHUNK, DOCUMENT, CALL = "answer", "chunk", "document", "call"
FORMS = ("an answer id",)
_EXCERPT = 120


class Read(Protocol):
    """A snapshot as the walk reads it; an IndexedSnapshot is one."""

    @property
    def snapshot(self) -> Snapshot: ...

    def chunks(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the walk of this room looks.

    `answer` finds an answer by its id with the `key@day` that it was compacted into, None there while it lies in the log, and
    `call` a call. `found_in` gives the corpus and the
    snapshot that a release looks up in, None for one that looks nothing up, and `snapshot` opens one.
    """

    answer: Callable[[str], tuple[Answered, str | None] | None]
    call: Callable[[str], Call | None]
    found_in: Callable[[str, str], tuple[str, str] | None]
    snapshot: Callable[[str, str], Read]


def room_of(sources: Sources) -> Room:
    """The kinds of this room. An answer is `runbook_answers/asked/<day>/<unique>/<release>`."""
    known = {ANSWER: _answer, CHUNK: _chunk, DOCUMENT: _document, CALL: _call}
    return Room({kind: partial(find, sources=sources) for kind, find in known.items()}, _named, FORMS)


def _named(name: str) -> Thing | None:
    return (ANSWER, name) if day_of_answer(name) else None


def _answer(id: str, sources: Sources) -> Node:
    kept = sources.answer(id)
    if kept is None:
        raise DataError(
            f"There is no answer {id!r}",
            expected="the id that came with an answer and that is still kept",
            action="Look it up in the asset `<system>/answers`, or in what `ops ask --json` printed",
        )
    found, day = kept
    system, release = found.caller.system, found.caller.release
    where = sources.found_in(system, release)
    read = (
        [(CHUNK, f"{where[0]}@{where[1]}#{one.document}#{one.chunk}") for one in found.answer.passages] if where else []
    )
    calls = [(CALL, call) for call in found.calls]
    written = [("artefact", day)] if day else []
    return Node(ANSWER, id, _said(found), (("release", f"{system}/{release}"), *read, *calls, *written))


def _said(found: Answered) -> dict[str, Any]:
    answer = found.answer
    return {
        "question": found.question,
        "text": answer.text,
        "outcome": found.outcome,
        "error": found.error or None,
        "refused_by": "; ".join(answer.refused_by) or None,
        "answered_by": f"{answer.provider}/{answer.model}" if answer.provider else None,
        "tenant": found.caller.tenant or None,
        "feature": found.caller.feature or None,
        "usd": None if answer.usd is None else f"{answer.usd:f}",
        "asked_at": found.asked_at.isoformat(),
        "release": short(found.caller.release),
    }


def _chunk(id: str, sources: Sources) -> Node:
    where, document, position = _parts(id)
    read = _opened(where, sources)
    chunk = next((one for one in read.chunks() if _is(one, document, position)), None)
    parents = ((DOCUMENT, f"{where}#{document}"),)
    if chunk is None:
        planted = f"{document} has no chunk {position} in this snapshot: it was given beside what was found"
        return Node(CHUNK, id, {}, parents if document in read.snapshot.documents else (), missing=planted)
    excerpt = " ".join(chunk.text.split())
    return Node(CHUNK, id, {"chunk": chunk.id, "text": excerpt[:_EXCERPT]}, parents)


def _document(id: str, sources: Sources) -> Node:
    where, _, document = id.partition("#")
    read = _opened(where, sources)
    entry = read.snapshot.documents.get(document)
    made_by = (("artefact", f"{where.partition('@')[0]}/snapshot@-#{read.snapshot.digest}"),)
    if entry is None:
        return Node(DOCUMENT, id, {}, made_by, missing=f"the snapshot holds no document {document!r}")
    return Node(DOCUMENT, id, {"source": entry.source, "digest": short(entry.digest)}, made_by)


def _call(id: str, sources: Sources) -> Node:
    call = sources.call(id)
    if call is None:
        return Node(CALL, id, {}, missing="the ledger no longer keeps it")
    tokens = f"{call.usage.input_tokens} in, {call.usage.output_tokens} out" if call.usage else None
    facts: Mapping[str, Any] = {
        "outcome": call.outcome,
        "asked": f"{call.provider}/{call.model}",
        "answered_by": call.answered_by or None,
        "tokens": tokens,
        "usd": None if call.usd is None else f"{call.usd:f}",
        "request": short(call.request),
    }
    return Node(CALL, id, facts)


def _opened(where: str, sources: Sources) -> Read:
    corpus, _, digest = where.partition("@")
    return sources.snapshot(corpus, digest)


def _parts(id: str) -> tuple[str, str, str]:
    """The corpus and snapshot, the document, and the position of a chunk; a document's id may hold a #."""
    where, _, rest = id.partition("#")
    document, _, position = rest.rpartition("#")
    return where, document, position


def _is(chunk: Chunk, document: str, position: str) -> bool:
    return chunk.document == document and str(chunk.position) == position
