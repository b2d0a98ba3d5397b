"""What every gate does with its verdict: it is kept as the release's evidence, and shown with what it asked for."""

from collections.abc import Mapping, Sequence
from typing import Any

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.publishing import Product, shown_table, table_of, why_command
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.pointer import PRODUCTION, live_evidence
from ops_pipelines.core.release import Evidence, Release
from ops_pipelines.core.verdict import Verdict


def let_in_before(platform: Platform, release: Release, live: Release | None) -> Verdict | None:
    """What let in the release that is live, where a candidate is that very one: it still holds. None for another."""
    if live is None or live.digest != release.digest:
        return None
    return (live_evidence(platform.releases, release.manifest.system, PRODUCTION) or live.latest).verdict


def keep_verdict(
    platform: Platform,
    release: Release,
    live: Release | None,
    verdict: Verdict,
    rows: Sequence[Mapping[str, Any]],
    *,
    inputs: Mapping[str, str],
    facts: Mapping[str, Any],
) -> Product:
    """A gate's verdict on a release beside what is live, kept as evidence with its facts; `rows` are what was asked for."""
    baseline = live.digest if live else None
    platform.releases.save(release.manifest, Evidence(verdict, baseline, platform.clock.as_of(), facts))
    return Product(
        table_of(rows),
        digest=digest_json([release.digest, baseline, rows]),
        verdict=verdict,
        inputs=inputs,
        facts={"release": release.digest, "baseline": baseline},
        shown={
            "release": short(release.digest),
            "compared with": short(live.digest) if live else "nothing: it is the first",
            "asked for": shown_table(rows),
            "why": why_command(short(release.digest)),
        },
    )
