"""A model's releases, its judged weeks and its alarms, as a platform stores them, without a model: what an agent looks at.

watched = Watched(platform)
first, second = watched.releases("first", "second")
watched.week(loss=0.7, before=(first, 0.6))
agent.start({"alarm": watched.alarm("performance")})
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ops_pipelines.adapters.access import new_token
from ops_pipelines.adapters.clock import ProjectClock
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.principal import ADMIN, EVERY, Grant, add, token_digest
from ops_pipelines.core.release import Manifest
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.testing.release_store import evidence_against

FIRST_DAY = datetime(2013, 6, 4, tzinfo=UTC)
"""When the first release goes live; each next one a week later."""
WEEK = "2013-07-02"


@dataclass(frozen=True, slots=True)
class Watched:
    """One system of a platform."""

    platform: Platform
    system: str = "flight_delay"
    limits: dict[str, float] = field(default_factory=lambda: {"loss": 0.6, "gap": 0.1})

    def releases(self, *names: str, since: datetime = FIRST_DAY) -> list[str]:
        """Releases that go live one after the other, a week apart; their digests. The clock stays at the week's end."""
        made = []
        for number, name in enumerate(names):
            self.go_to(since + timedelta(weeks=number))
            made.append(self.release(name))
            self.platform.promote(self.system, made[-1], actor="anna", reason="its gate passed")
        self.go_to(datetime.fromisoformat(f"{WEEK}T00:00:00+00:00") + timedelta(weeks=1))
        return made

    def release(self, name: str) -> str:
        """A release whose gate passed against what is live; its digest."""
        live = self.platform.live("production", self.system)
        manifest = Manifest(self.system, {"model": self.platform.objects.put(name.encode())})
        self.platform.releases.save(manifest, evidence_against(live))
        return manifest.digest

    def live(self) -> str:
        """The digest of what is live; empty where nothing is."""
        return self.platform.live("production", self.system) or ""

    def go_to(self, as_of: datetime) -> None:
        """Put the platform's clock at an instant."""
        ProjectClock(self.platform.project.home).set(as_of)

    def week(
        self,
        *,
        loss: float | None = 0.5,
        gap: float = 0.0,
        release: str = "",
        before: tuple[str, float] | None = None,
        drifted: Sequence[str] = (),
        word: str = "",
        week: str = WEEK,
    ) -> None:
        """A judged week, scored by what is live unless told otherwise. `word` is a verdict that its numbers do not say.

        Without a loss it was scored, and is not judged yet. `before` is the release before, with its loss on the rows.
        """
        scored_by = release or self.live()
        drift = {"columns": 20, "flagged": list(drifted), "judged": 20}
        found: Verdict = Blocked(tuple(f"{name} moved" for name in drifted), drift) if drifted else Passed(drift)
        self._publish(
            "drift", week, {"feature_drift": found, "prediction_drift": Passed({**drift, "flagged": []})}, scored_by, {}
        )
        self._publish("checkpoint", week, {}, scored_by, {})
        if loss is not None:
            beside = _beside(loss, before) if before else {}
            self._publish("performance", week, {"performance": self._judged(loss, gap, word)}, scored_by, beside)

    def alarm(self, finding: str = "performance", *, week: str = WEEK, release: str = "") -> dict[str, Any]:
        """The alarm of a week as an agent is given it."""
        by = release or self.live()
        key = f"{self.system}/{finding}/{short(by)}/{week}"
        where = {"system": self.system, "finding": finding, "release": by}
        return where | {"since": week, "week": week, "weeks": 1, "key": key}

    def _judged(self, loss: float, gap: float, word: str) -> Verdict:
        rows = {"rows": 6000, "coverage": 0.95, "loss": loss, "gap": gap, "expected_loss": 0.5}
        evidence = rows | {"loss_name": "log_loss", "limits": dict(self.limits)}
        beyond = loss > self.limits["loss"] or abs(gap) > self.limits["gap"]
        said = word or ("blocked" if beyond else "passed")
        if said == "not evaluated":
            return NotEvaluated("too few labels", {**rows, "limits": {}})
        return Blocked(("it is beyond its limit",), evidence) if said == "blocked" else Passed(evidence)

    def _publish(
        self, part: str, week: str, findings: dict[str, Verdict], release: str, before: dict[str, Any]
    ) -> None:
        import pyarrow as pa

        from ops_pipelines.core.verdict import verdict_to_json

        kept = {name: verdict_to_json(verdict) for name, verdict in findings.items()}
        facts = {"release": release, "findings": kept, "before": before}
        digest = digest_json([part, week, facts])
        origin = Origin("run-1", "no-git", "code", self.platform.clock.wall())
        record = Artefact(f"{self.system}/{part}", week, digest, Passed(), {}, origin, facts)
        self.platform.lake.publish(pa.table({"row": [1]}), record)


def principal(platform: Platform, name: str, role: str, system: str = EVERY) -> str:
    """A principal of a platform with one role, after an admin that every platform has to have; its token."""
    store, now = platform.principals, platform.clock.wall()
    if not store.everybody():
        admin = add((), "root", [Grant(ADMIN)], digest=token_digest(new_token()), by="nobody", at=now)
        store.register(admin)
    token = new_token()
    everybody, granted = store.everybody(), [Grant(role, system)]
    store.register(add(everybody, name, granted, digest=token_digest(token), by="root", at=now))
    return token


def _beside(loss: float, before: tuple[str, float]) -> dict[str, Any]:
    release, theirs = before
    gain = theirs - loss
    return {"release": release, "loss": theirs, "gain": gain, "low": gain - 0.02, "high": gain + 0.02}
