"""The Alarms component: an inbox of what is not quiet in some systems, and of whom people were told."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.notifier import NotificationError, Notifier, one_at_a_time
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.agentops.alarms import Alarm, advance, findings_in, message, rows, stamped, untold
from ops_pipelines.components.alarms_sensor import alarms_sensor, judged_in, parts_of, watched
from ops_pipelines.components.alarms_waking import waking_job, waking_sensor
from ops_pipelines.components.calendar import Weekly
from ops_pipelines.components.component import OpsComponent
from ops_pipelines.components.publishing import Product, gate_spec, publish, shown_table, table_of
from ops_pipelines.components.scaffolding import AlarmsScaffolder
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed

CHECK = "everybody_was_told"


@dg.scaffold_with(AlarmsScaffolder)
class Alarms(OpsComponent):
    """An inbox of the alarms of some systems, made from the performance and drift that they store for each week.

    `features` names feature sets whose skew people are told of, too; each has to have `health`.

    People are told of each alarm once, where OPS_NOTIFY says; without it, on standard output. `wakes` names an agent that
    each alarm of what it operates wakes, once.
    """

    name: str
    systems: list[str] = Field(min_length=1)
    features: list[str] = Field(default_factory=list)
    weekly: Weekly
    wakes: str | None = None
    owners: list[str] = Field(default_factory=list)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002
        """The inbox, the job that fills it, and the sensor that asks for each week that was judged."""
        job = dg.define_asset_job(f"gather_{self.name}", dg.AssetSelection.assets(dg.AssetKey(self.name)))
        inbox = dg.Definitions(assets=[self._inbox()], jobs=[job], sensors=[alarms_sensor(self, job)])
        return dg.Definitions.merge(inbox, self._waking()) if self.wakes else inbox

    def _waking(self) -> dg.Definitions:
        agent = str(self.wakes)
        return dg.Definitions(jobs=[waking_job(agent)], sensors=[waking_sensor(self, agent)])

    def weeks(self) -> Sequence[str]:
        """Every week that has an inbox, up to the present one, the oldest first."""
        return self.weekly.definition().get_partition_keys()

    def _inbox(self) -> dg.AssetsDefinition:
        key, weeks = dg.AssetKey(self.name), self.weekly.definition()
        looked_at = ", ".join([*self.systems, *self.features])

        @dg.asset(
            key=key,
            partitions_def=weeks,
            deps=[dg.AssetKey([system, part]) for system, part in watched(self)],
            check_specs=[gate_spec(CHECK, key, weeks)],
            code_version=code_version("ops_pipelines.agentops.alarms"),
            description=f"What is not quiet in {looked_at}, since when, and whether people were told.",
            owners=self.owners,
            group_name="alarms",
            kinds={"parquet"},
        )
        def inbox(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            # Two weeks at once would each find that nobody was told yet of the alarm that goes through both.
            with one_at_a_time(platform.project.home / "locks" / f"{self.name}.lock"):
                made = make_inbox(self, platform, Notifier.from_environment(), context.partition_key)
                return publish(context, platform, made, check=CHECK)

        return inbox


def make_inbox(alarms: Alarms, platform: Platform, notifier: Notifier, week: str) -> Product:
    """The inbox after a week, from all that was stored up to it; people were told of what is new in it.

    It follows from the stored verdicts alone and not from the inbox before, so that it is the same in whatever order the
    weeks are made. NotEvaluated where no watched system was judged in the week, Blocked where somebody was not told.
    """
    judged = {past: judged_in(alarms, platform, past) for past in alarms.weeks() if past <= week}
    if not judged[week]:
        needed = "; ".join(f"{', '.join(parts)} of {system}" for system, parts in parts_of(alarms).items())
        why = NotEvaluated(f"for {week} none of these is stored whole: {needed}")
        return _product((), why, {}, told=_told(alarms, platform), new=0)
    inbox = reduce(_advanced, judged.items(), ())
    told = _told(alarms, platform)
    new = untold(stamped(inbox, told))
    # Told first and remembered after: a run that dies in between tells again, and none is ever forgotten.
    now_told, problems = _tell(new, notifier, platform)
    told |= now_told
    first = min((alarm.since for alarm in inbox), default=week)
    inputs = {made.address: made.digest for past, found in judged.items() if past >= first for made in found}
    verdict = Blocked(tuple(problems)) if problems else Passed({"open": len(inbox), "new": len(new)})
    return _product(stamped(inbox, told), verdict, inputs, told=told, new=len(new))


def _advanced(before: tuple[Alarm, ...], judged: tuple[str, Sequence[Artefact]]) -> tuple[Alarm, ...]:
    week, found = judged
    return advance(before, week, [finding for artefact in found for finding in findings_in(artefact)])


def _told(alarms: Alarms, platform: Platform) -> dict[str, datetime]:
    """When people were told of each notice, as any week's inbox remembers it."""
    inboxes = [made for week in alarms.weeks() if (made := platform.lake.latest(alarms.name, week))]
    return {notice: datetime.fromisoformat(at) for made in inboxes for notice, at in sorted(made.facts["told"].items())}


def _tell(new: Sequence[Alarm], notifier: Notifier, platform: Platform) -> tuple[dict[str, datetime], list[str]]:
    """When people were told of each notice now, and what went wrong with those of whom they were not."""
    told, problems = {}, []
    for alarm in new:
        try:
            notifier.tell(*message(alarm))
        except NotificationError as error:
            problems.append(f"{alarm.key}: {error}")
        else:
            told[alarm.notice] = platform.clock.wall()
    return told, problems


def _product(
    inbox: Sequence[Alarm],
    verdict: Passed | Blocked | NotEvaluated,
    inputs: Mapping[str, str],
    *,
    told: Mapping[str, datetime],
    new: int,
) -> Product:
    shown = rows(inbox)
    return Product(
        table_of(shown),
        # When people were told is not part of what the inbox is: made again elsewhere it is the same.
        digest=digest_json([replace(alarm, notified_at=None).to_json() for alarm in inbox]),
        verdict=verdict,
        inputs=inputs,
        facts={
            "alarms": [alarm.to_json() for alarm in inbox],
            # The whole memory in each week: what one week's inbox loses when it is judged anew, the others still know.
            "told": {notice: at.isoformat() for notice, at in told.items()},
        },
        shown={"open alarms": shown_table(shown), "open": len(inbox), "new": new},
    )
