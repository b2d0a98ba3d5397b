from datetime import UTC, datetime, timedelta

import pytest

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.corpus import Document
from ops_pipelines.llmops.corpus_freshness import FreshnessRule, judge_freshness, judge_reviews, judge_snapshot_age

NOW = datetime(2026, 3, 10, tzinfo=UTC)
RULE = FreshnessRule(snapshot_days=7, review_days=90)


def document(name, reviewed=None):
    return Document(name, "folder", "text", {"reviewed": reviewed} if reviewed else {})


@pytest.mark.parametrize(("days", "kind"), [(0, Passed), (7, Passed), (7.01, Blocked), (-1, Passed)])
def test_a_snapshot_may_be_as_old_as_the_rule_says(days, kind):
    assert isinstance(judge_snapshot_age(NOW - timedelta(days=days), NOW, RULE), kind)


def test_a_corpus_without_a_snapshot_is_not_evaluated():
    assert isinstance(judge_snapshot_age(None, NOW, RULE), NotEvaluated)


def test_each_document_that_nobody_looked_over_for_too_long_is_named():
    verdict = judge_reviews([document("new", "2026-03-01"), document("old", "2025-03-01"), document("any")], NOW, RULE)
    assert isinstance(verdict, Blocked)
    assert verdict.reasons == ("old was reviewed 374 days ago, and 90 are allowed",)


def test_a_date_that_cannot_be_read_is_a_reason():
    verdict = judge_reviews([document("a", "last week")], NOW, RULE)
    assert isinstance(verdict, Blocked)


def test_reviews_that_are_asked_for_and_nobody_dated_are_not_evaluated():
    assert isinstance(judge_reviews([document("a")], NOW, RULE), NotEvaluated)


def test_reviews_that_nobody_asks_for_pass():
    assert isinstance(judge_reviews([document("a")], NOW, FreshnessRule()), Passed)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (Passed(), Passed(), Passed),
        (Passed(), NotEvaluated("?"), NotEvaluated),
        (Blocked(("old",)), NotEvaluated("?"), Blocked),
    ],
)
def test_both_are_fresh_or_the_corpus_is_not(one, other, kind):
    assert isinstance(judge_freshness(one, other), kind)


def test_a_rule_of_no_days_is_refused():
    with pytest.raises(ConfigError, match="review_days"):
        FreshnessRule(review_days=0)
