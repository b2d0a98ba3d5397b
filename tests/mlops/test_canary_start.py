from datetime import timedelta

import pytest

from ops_pipelines.core.errors import ConfigError, NotPromotable, ReleaseError
from ops_pipelines.core.pointer import Decision
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.canary_start import plan_canary
from ops_pipelines.testing.release_store import NEW_YEAR, evidence_against, manifest_of

LIVE = "a" * 64
NOW = NEW_YEAR + timedelta(weeks=1)
DECISION = Decision("ann", "its gate could not tell", NOW, NOW)


def candidate(verdict: Verdict | None = None, *, baseline: str | None = LIVE) -> Release:
    return Release(manifest_of("candidate"), (evidence_against(baseline, verdict=verdict),))


def planned(release: Release, **given):
    wanted = {"live": LIVE, "share": 0.1, "resolves": lambda *_: True, "preflight": lambda _: Passed(), **given}
    return plan_canary(release, wanted.pop("decision", DECISION), **wanted)


def test_a_canary_says_who_wants_which_release_beside_which() -> None:
    canary = planned(candidate())
    assert (canary.candidate, canary.champion, canary.share) == (candidate().digest, LIVE, 0.1)
    assert (canary.actor, canary.reason, canary.environment) == ("ann", "its gate could not tell", "production")


def test_each_canary_draws_lots_of_its_own_and_the_same_one_the_same() -> None:
    later = Decision("ann", "again", NOW, NOW + timedelta(seconds=1))
    assert planned(candidate()).salt == planned(candidate()).salt != planned(candidate(), decision=later).salt


@pytest.mark.parametrize(
    "release",
    [candidate(NotEvaluated("one day of rows")), candidate(baseline="b" * 64), candidate(baseline=None)],
    ids=["could not tell", "judged against another", "judged against none"],
)
def test_a_release_whose_gate_could_not_tell_may_meet_a_share_of_the_callers(release: Release) -> None:
    assert planned(release).candidate == release.digest


@pytest.mark.parametrize("baseline", [LIVE, "b" * 64])
def test_a_release_that_its_gate_refused_meets_no_caller(baseline: str) -> None:
    with pytest.raises(NotPromotable, match=r"cannot be a canary: worse by \.02") as refused:
        planned(candidate(Blocked(("worse by .02",)), baseline=baseline))
    assert refused.value.facts["verdict"] == "blocked"


def test_a_release_whose_parts_are_lost_or_that_does_not_work_here_is_refused() -> None:
    with pytest.raises(NotPromotable, match=r"its model .* cannot be found"):
        planned(candidate(), resolves=lambda *_: False)
    with pytest.raises(NotPromotable, match="golden rows score otherwise"):
        planned(candidate(), preflight=lambda _: Blocked(("golden rows score otherwise",)))


def test_a_release_that_knows_what_comes_later_is_refused() -> None:
    early = Decision("ann", "now", NEW_YEAR - timedelta(days=1), NOW)
    with pytest.raises(NotPromotable, match="it knows everything up to 2013-01-01"):
        planned(candidate(), decision=early)


def test_the_live_release_cannot_be_its_own_canary_and_nothing_has_none() -> None:
    with pytest.raises(ReleaseError, match="is live itself"):
        planned(candidate(), live=candidate().digest)
    with pytest.raises(ReleaseError, match="Nothing of 'flight_delay' is live"):
        planned(candidate(), live=None)


def test_a_share_of_all_requests_is_no_canary() -> None:
    with pytest.raises(ConfigError, match="for all requests promote"):
        planned(candidate(), share=1.0)
