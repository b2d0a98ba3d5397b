"""Everything that an asset or a command reaches outside itself, in one value.

Dagster hands it to assets as the resource `platform`; the command line and tests make the same one. Its parts open
nothing until they are used.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.access import Access
from ops_pipelines.adapters.clock import ProjectClock
from ops_pipelines.adapters.corpora import Corpora
from ops_pipelines.adapters.feast_store import FeastStore
from ops_pipelines.adapters.lake import Lake
from ops_pipelines.adapters.mlflow_registry import MLflowRegistry, RegistryError, TrainingRecord
from ops_pipelines.adapters.objects import ObjectStore
from ops_pipelines.adapters.preflight import judge_coming_back, judge_going_live
from ops_pipelines.adapters.project import Project, find_project
from ops_pipelines.adapters.redactors import secrets_out_of
from ops_pipelines.adapters.sqlite_answers import SQLiteAnswerLog
from ops_pipelines.adapters.sqlite_approvals import SQLiteApprovalStore
from ops_pipelines.adapters.sqlite_audit import SQLiteAuditLog
from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
from ops_pipelines.adapters.sqlite_calls import SQLiteCallLog
from ops_pipelines.adapters.sqlite_canaries import SQLiteCanaryStore
from ops_pipelines.adapters.sqlite_decisions import SQLiteDecisionLog
from ops_pipelines.adapters.sqlite_effects import SQLiteEffectJournal
from ops_pipelines.adapters.sqlite_evals import SQLiteEvals
from ops_pipelines.adapters.sqlite_memory import SQLiteMemoryStore
from ops_pipelines.adapters.sqlite_predictions import SQLitePredictionLog
from ops_pipelines.adapters.sqlite_principals import SQLitePrincipalStore
from ops_pipelines.adapters.sqlite_releases import SQLiteReleaseStore
from ops_pipelines.adapters.sqlite_retraining import SQLiteRetrainingLog
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.agentops.approval import ApprovalStore
from ops_pipelines.agentops.decision_log import DecisionLog
from ops_pipelines.agentops.effects import EffectJournal, Intent
from ops_pipelines.agentops.memory import MemoryStore
from ops_pipelines.agentops.run_log import RunLog
from ops_pipelines.core import principal
from ops_pipelines.core.clock import Clock
from ops_pipelines.core.errors import ArtefactError, DataError, OpsError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.override import override
from ops_pipelines.core.pointer import PRODUCTION, Decision, live_move, promote, roll_back
from ops_pipelines.core.principal import PrincipalStore
from ops_pipelines.core.release import IndexedReleaseStore, Move, Release, find_release
from ops_pipelines.core.verdict import Verdict
from ops_pipelines.llmops.answer_log import AnswerLog
from ops_pipelines.llmops.budget import BudgetStore
from ops_pipelines.llmops.call_log import CallLog
from ops_pipelines.mlops.admission import Ruling
from ops_pipelines.mlops.canary import CanaryStore
from ops_pipelines.mlops.prediction_log import PredictionLog
from ops_pipelines.mlops.retraining_log import RetrainingLog

if TYPE_CHECKING:
    import pyarrow as pa


_ALIASES = {PRODUCTION: "champion"}
"""What MLflow calls the release that is live in an environment; its own name for any other."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A move of the pointer (None where it stood there already), and what went wrong with MLflow's alias, if anything."""

    move: Move | None
    mirror_problem: str | None


@dataclass(frozen=True, slots=True)
class Platform:
    """What a project reaches outside itself: its files, its stores, its clock, and who may act."""

    project: Project
    lake: Lake
    objects: ObjectStore
    releases: IndexedReleaseStore
    canaries: CanaryStore
    clock: Clock
    retraining: RetrainingLog
    predictions: PredictionLog
    features: FeastStore
    registry: MLflowRegistry
    principals: PrincipalStore
    audit: SQLiteAuditLog
    calls: CallLog
    answers: AnswerLog
    budgets: BudgetStore
    evals: SQLiteEvals
    runs: RunLog
    decisions: DecisionLog
    approvals: ApprovalStore
    effects: EffectJournal
    memory: MemoryStore

    @classmethod
    def embedded(cls, project: Project | None = None) -> "Platform":
        """The platform that needs no server: files and SQLite under the project's home."""
        here = project or find_project()
        clock, secrets = ProjectClock(here.home), secrets_out_of(here.home)
        return cls(
            project=here,
            lake=Lake(here.home / "lake"),
            objects=ObjectStore(here.home / "objects" / "sha256"),
            releases=SQLiteReleaseStore(here.home / "control.db"),
            canaries=SQLiteCanaryStore(here.home / "control.db"),
            clock=clock,
            retraining=SQLiteRetrainingLog(here.home / "control.db"),
            predictions=SQLitePredictionLog(here.home / "log" / "predictions.db"),
            features=FeastStore(here),
            registry=MLflowRegistry(here.home),
            principals=SQLitePrincipalStore(here.home / "control.db"),
            audit=SQLiteAuditLog(here.home / "control.db"),
            calls=SQLiteCallLog(here.home / "log" / "calls.db"),
            answers=SQLiteAnswerLog(here.home / "log" / "calls.db"),
            budgets=SQLiteBudgetStore(here.home / "log" / "budgets.db"),
            evals=SQLiteEvals(here.home / "log" / "evals.db"),
            runs=SQLiteRunLog(here.home / "log" / "runs.db"),
            decisions=SQLiteDecisionLog(here.home / "log" / "decisions.db", secrets=secrets),
            approvals=SQLiteApprovalStore(here.home / "approvals.db", secrets=secrets, now=clock.wall),
            effects=SQLiteEffectJournal(here.home / "log" / "effects.db", secrets=secrets),
            memory=SQLiteMemoryStore(here.home / "memory.db"),
        )

    def origin(self, run_id: str, code: str) -> Origin:
        """Who makes something now: this run, at this commit, with this code."""
        return Origin(run_id, self.project.commit(), code, self.clock.wall())

    @property
    def corpora(self) -> Corpora:
        """The corpora of the home."""
        return Corpora(self.project.home)

    @property
    def access(self) -> Access:
        """The door that checks who acts."""
        return Access(self.principals, self.clock)

    def promote(self, system: str, digest: str, *, actor: str, reason: str, environment: str = PRODUCTION) -> "Shipped":
        """Make a release live through its gate, then mirror it; NotPromotable with the reasons where it may not be.

        `actor` is whom the history names where no principal was added yet; NotAllowed where the token may not promote.
        """
        decision = self.decision(principal.PROMOTE, system, actor, reason, environment)
        release, way = find_release(self.releases, system, digest), self.project.way_to(environment)
        works_here = partial(self.works_here, environment=environment)
        move = promote(self.releases, release, decision, resolves=self.resolves, preflight=works_here, through=way)
        return self._mirrored(system, move)

    def roll_back(
        self,
        system: str,
        to: str | None,
        *,
        actor: str,
        reason: str,
        environment: str = PRODUCTION,
        seen: str | None = None,
        call: Intent | None = None,
    ) -> "Shipped":
        """Put an earlier release back, then mirror it. It needs no staging: it was live here.

        `seen` is what was live when this was decided: LostRace where something else is by now. `call` is that of an
        agent: where a person has approved it, it acts by the authority of both (`Access.approved`), and not by the token.
        """
        decision = self.decision(principal.ROLL_BACK, system, actor, reason, environment, call=call)
        move = roll_back(
            self.releases,
            system,
            decision,
            to=to,
            seen=seen,
            resolves=self.resolves,
            preflight=self.still_answers,
        )
        return self._mirrored(system, move)

    def override(
        self,
        system: str,
        digest: str,
        *,
        actor: str,
        reason: str,
        lasting: timedelta,
        environment: str = PRODUCTION,
    ) -> "Shipped":
        """Make a release live without its gate for a while, then mirror it; ConfigError for a blank reason or a bad time.

        Its golden rows are scored where it has any; the packages in force and staging are not asked about.
        """
        decision = self.decision(principal.OVERRIDE, system, actor, reason, environment)
        release = find_release(self.releases, system, digest)
        move = override(
            self.releases, release, decision, lasting=lasting, resolves=self.resolves, preflight=self.still_answers
        )
        return self._mirrored(system, move)

    def decision(
        self, action: str, system: str, actor: str, reason: str, environment: str, *, call: Intent | None = None
    ) -> Decision:
        """The decision of whoever may do this, as of the platform's clock and at the wall's instant.

        For an agent's call that was approved, that is who asked and who said yes.
        """
        where = self.project.checked_environment(environment)
        if call and call.approval:
            held = next(iter(self.approvals.held(call.approval)), None)
            who = self.access.approved(held, call, system, where)
        else:
            who = self.access.whoever_may(action, system, where, otherwise=actor)
        return Decision(actor=who, reason=reason, as_of=self.clock.as_of(), at=self.clock.wall(), environment=where)

    def works_here(self, release: Release, environment: str = PRODUCTION) -> Verdict:
        """Whether a release answers here as when it was gated, with all that it uses: what a promotion asks for."""
        return judge_going_live(
            self.objects,
            self.corpora,
            release,
            lock=self.project.environment(),
            find=self.release,
            resolves=self.resolves,
            live=partial(self.live, environment),
        )

    def still_answers(self, release: Release) -> Verdict:
        """Passed unless a release, or one that it uses, answers otherwise than when it was gated: what a rollback asks."""
        return judge_coming_back(self.objects, self.corpora, release, find=self.release, resolves=self.resolves)

    def release(self, system: str, digest: str) -> Release | None:
        """The release of a system by its whole digest; None where there is none."""
        return next((found for found in self.releases.releases(system) if found.digest == digest), None)

    def live(self, environment: str, system: str) -> str | None:
        """The digest that is live in an environment; None where nothing is."""
        move = live_move(self.releases.history(system, environment))
        return move.release if move else None

    def resolves(self, name: str, digest: str) -> bool:
        """Whether a part of a release can be found, with the bytes that it was gated with."""
        del name  # whatever the part, its bytes are in the one object store
        try:
            self.objects.get(digest)
        except ArtefactError:
            return False
        return True

    def _mirrored(self, system: str, move: Move | None) -> "Shipped":
        """The pointer has moved, and that holds; MLflow's alias follows for people who look there."""
        if move is None:
            return Shipped(None, None)
        version = (
            find_release(self.releases, system, move.release).evidence_of(move.evidence).facts.get("model_version")
        )
        try:
            if version:
                self.registry.mirror(system, _ALIASES.get(move.environment, move.environment), str(version))
        except OpsError as error:
            return Shipped(move, str(error))
        return Shipped(move, None)

    def record(self, training: TrainingRecord) -> dict[str, str]:
        """Where MLflow keeps a checkpoint, as facts; what went wrong there where it could not: it is only a mirror."""
        try:
            version = self.registry.record(training)
        except RegistryError as error:
            return {"mlflow_problem": str(error)}
        return {"mlflow_run": version.run_id, "model_version": version.version}

    def latest(self, address: str) -> Artefact | None:
        """What was written last at `key@partition`, accepted or not."""
        key, _, partition = address.partition("@")
        return self.lake.latest(key, partition)

    def good(self, address: str) -> Artefact | None:
        """What was accepted last at `key@partition`."""
        key, _, partition = address.partition("@")
        return self.lake.good(key, partition)

    def read_all(self, inputs: Mapping[str, str]) -> "pa.Table":
        """The accepted contents at some `key@partition` addresses of one dataset, one after the other.

        `inputs` holds the digest that was admitted at each address; DataError where something else lies there by now.
        """
        import pyarrow as pa

        tables = [self.lake.read(*address.split("@")) for address in inputs]
        self.check_unmoved(inputs)
        return pa.concat_tables(tables)

    def check_unmoved(self, inputs: Mapping[str, str]) -> None:
        """Raises DataError where what lies at an address is not what was admitted: another run wrote it meanwhile."""
        for address, digest in inputs.items():
            found = self.good(address)
            if found is None or found.digest != digest:
                raise DataError(
                    f"{address} was written again while it was being read",
                    expected=f"the content {short(digest)} that was admitted",
                    action="Run this again; it will read the new content",
                    address=address,
                )

    def inputs_of(self, digest: str) -> dict[str, str]:
        """What a training set of this digest was made from, by its kept manifest; empty for any other content."""
        if not digest or not self.objects.has(digest):
            return {}
        manifest = json.loads(self.objects.get(digest))
        return dict(manifest.get("inputs", {})) if isinstance(manifest, dict) else {}

    def prediction(self, scores: str, id: str) -> dict[str, Any] | None:
        """The score and the release of one prediction id in the scores at `key@partition`; None where it is not there."""
        key, _, partition = scores.partition("@")
        return self.lake.row(key, partition, column="prediction_id", value=id, take=("score", "release"))

    def systems(self) -> tuple[str, ...]:
        """The systems that have checkpoints."""
        return tuple(sorted(folder.parent.name for folder in self.lake.root.glob("*/checkpoint")))

    def ruling(self, address: str) -> Ruling | None:
        """What a person decided about `key@partition`."""
        key, _, partition = address.partition("@")
        record = self.lake.decision(key, partition)
        return Ruling.from_json(record) if record else None
