"""Releases and pointers in the control database: the ReleaseStore that people run. Every move has its audit entry."""

from pathlib import Path

from ops_pipelines.adapters.sqlite_audit import append_entry
from ops_pipelines.adapters.sqlite_control import ControlDatabase
from ops_pipelines.adapters.sqlite_file import has_row
from ops_pipelines.core.audit_coverage import entry_of_move
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.pointer import lost_race
from ops_pipelines.core.release import Evidence, Manifest, Move, Release


class SQLiteReleaseStore:
    """The ReleaseStore of one file, which is made at the first call. DataError where the file is not one of ours."""

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0, create: bool = True) -> None:
        self._control = ControlDatabase(path, timeout_seconds=timeout_seconds, create=create)

    def save(self, manifest: Manifest, evidence: Evidence) -> None:
        """Keep a manifest and append evidence to it, both or neither; saving the same pair again changes nothing."""
        row = (manifest.digest, manifest.system, canonical_json(manifest.to_json()).decode())
        proof = (manifest.digest, evidence.digest, canonical_json(evidence.to_json()).decode())
        with self._control.transaction() as connection:
            if not has_row(connection, "manifests WHERE digest = ?", row[:1]):
                after = "SELECT ?, ?, coalesce(max(sequence), 0) + 1, ? FROM manifests"
                connection.execute(f"INSERT INTO manifests (digest, system, sequence, content) {after}", row)
            if not has_row(connection, "evidence WHERE release = ? AND digest = ?", proof[:2]):
                after = "SELECT ?, ?, coalesce(max(sequence), 0) + 1, ? FROM evidence WHERE release = ?"
                connection.execute(
                    f"INSERT INTO evidence (release, digest, sequence, content) {after}", (*proof, proof[0])
                )

    def releases(self, system: str) -> tuple[Release, ...]:
        """Every release of a system in the order of first saving; DataError where a row was edited."""
        query = (
            "SELECT m.digest, m.content, e.digest, e.content FROM manifests m JOIN evidence e ON e.release = m.digest "
            "WHERE m.system = ? ORDER BY m.sequence, e.sequence"
        )
        manifests: dict[str, Manifest] = {}
        evidence: dict[str, list[Evidence]] = {}
        with self._control.opened() as connection:
            rows = connection.execute(query, (system,)).fetchall()
        for digest, content, proof_digest, proof in rows:
            if digest not in manifests:
                manifests[digest] = Manifest.from_json(self._control.verified("manifest", digest, content))
            found = Evidence.from_json(self._control.verified("evidence", proof_digest, proof))
            evidence.setdefault(digest, []).append(found)
        return tuple(Release(manifest, tuple(evidence[digest])) for digest, manifest in manifests.items())

    def systems(self) -> tuple[str, ...]:
        """Every system that has a release, by name."""
        with self._control.opened() as connection:
            rows = connection.execute("SELECT DISTINCT system FROM manifests ORDER BY system").fetchall()
        return tuple(system for (system,) in rows)

    def append(self, move: Move) -> None:
        """Add a row after the one it names in `previous`, and its audit entry; LostRace where another row came first."""
        pointer = (move.system, move.environment)
        query = "SELECT sequence, hash FROM moves WHERE system = ? AND environment = ? ORDER BY sequence DESC LIMIT 1"
        row = (*pointer, move.sequence, canonical_json(move.to_json()).decode(), move.hash)
        with self._control.transaction() as connection:
            sequence, last = connection.execute(query, pointer).fetchone() or (0, "")
            if (move.sequence, move.previous) != (sequence + 1, last):
                raise lost_race(move)
            append_entry(connection, **entry_of_move(move))
            connection.execute(
                "INSERT INTO moves (system, environment, sequence, content, hash) VALUES (?, ?, ?, ?, ?)", row
            )

    def history(self, system: str, environment: str) -> tuple[Move, ...]:
        """A pointer's moves, oldest first; DataError where a row was edited."""
        query = "SELECT hash, content FROM moves WHERE system = ? AND environment = ? ORDER BY sequence"
        with self._control.opened() as connection:
            rows = connection.execute(query, (system, environment)).fetchall()
        return tuple(Move.from_json(self._control.verified("move", digest, content)) for digest, content in rows)
