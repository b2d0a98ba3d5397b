"""A release goes live: what an asset made and its gate let in, in the project's first environment.

Where that is staging, production waits for somebody who takes it there: `ops promote SYSTEM --from staging`.
"""

from collections.abc import Mapping
from typing import Any

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.publishing import Product, table_of, why_command
from ops_pipelines.core.errors import NoAcceptedData, NotPromotable
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.lineage import Artefact, address
from ops_pipelines.core.pointer import taken_back
from ops_pipelines.core.verdict import Passed


def make_live(
    system: str,
    platform: Platform,
    gated: Artefact | None,
    key: str,
    *,
    actor: str,
    shown: Mapping[str, Any] | None = None,
) -> Product:
    """Promote the release that an asset at `key` made last; NotPromotable with the reasons where it may not go live.

    `gated` is what lies there, None where nothing does: NoAcceptedData. A person's rollback stands: what was taken back
    comes in again only by a person.
    """
    if gated is None:
        raise NoAcceptedData(
            f"{key} was never made",
            expected="something that a gate has judged",
            action=f"Materialize {address(key)} first",
        )
    digest = str(gated.facts["release"])
    _refuse_what_was_taken_back(system, platform, digest)
    shipped = platform.promote(
        system,
        digest,
        actor=actor,
        reason=f"the gate of {gated.address} passed",
        environment=platform.project.environments[0],
    )
    moved = shipped.move.to_json() if shipped.move else {"release": digest, "action": "none", "reason": "live already"}
    mirrored = {"mirrored": shipped.mirror_problem} if shipped.mirror_problem else {}
    return Product(
        table_of([moved]),
        digest=digest_json(moved),
        verdict=Passed({"release": digest}),
        inputs={gated.address: gated.digest},
        facts={"release": digest},
        shown={"release": short(digest), "why": why_command(short(digest)), **mirrored, **(shown or {})},
    )


def _refuse_what_was_taken_back(system: str, platform: Platform, digest: str) -> None:
    """A person put an earlier release back; only a person brings the later one in again."""
    histories = [platform.releases.history(system, where) for where in platform.project.environments]
    rollback = next((found for history in histories if (found := taken_back(history, digest))), None)
    if rollback:
        raise NotPromotable(
            f"Release {short(digest)} of {system!r} was rolled back by {rollback.actor}: {rollback.reason}",
            expected="a release that nobody took back",
            action=f"If it should be live again: `ops promote {system} {short(digest)}`",
            release=digest,
        )
