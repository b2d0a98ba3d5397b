from datetime import UTC, datetime

import pytest

from ops_pipelines.core.errors import TrainingError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.checkpoint import Card, check_features, judge_repeatability
from ops_pipelines.mlops.importance import Importance


def card(verdict: Verdict, **more) -> Card:
    return Card(
        **more,
        system="flight_delay",
        cut_off=datetime(2013, 3, 12, 6, tzinfo=UTC),
        model="abcdef012345" + "6" * 52,
        features=("distance", "carrier"),
        params={"rounds": 50},
        seed=7,
        train_rows=12_345,
        holdout_rows=678,
        metrics={"log_loss": 0.512345, "auc": None},
        verdict=verdict,
    )


def test_a_card_tells_a_reader_what_the_model_is() -> None:
    text = card(Passed()).to_markdown()
    assert text.startswith("# flight_delay, knowing nothing after 2013-03-12 06:00 UTC\n")
    assert "Model `abcdef012345`, fitted on 12,345 rows with seed 7, judged on 678 later rows" in text
    assert "Gate: **passed**" in text
    assert text.endswith("Features: distance, carrier.\nParameters: rounds=50.")


def test_a_card_shows_the_metrics_that_exist() -> None:
    text = card(Passed()).to_markdown()
    assert "| log_loss | 0.5123 |" in text
    assert "auc" not in text


def test_a_card_gives_every_reason_of_a_refusal() -> None:
    text = card(Blocked(("worse than live", "slice EWR got worse"))).to_markdown()
    assert "Gate: **blocked**" in text
    assert "\n- worse than live\n- slice EWR got worse\n" in text


def test_two_fits_with_the_same_bytes_are_repeatable() -> None:
    assert judge_repeatability(b"model", b"model") == Passed()


def test_two_fits_with_other_bytes_are_blocked() -> None:
    assert isinstance(judge_repeatability(b"model", b"modem"), Blocked)


def test_a_model_may_use_some_of_the_features_on_offer() -> None:
    check_features(["carrier"], ["distance", "carrier"], system="flight_delay")


def test_a_model_that_was_fitted_on_a_column_of_its_own_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"Did you mean 'carrier'\? A column made inside") as refused:
        check_features(["distance", "carrier_"], ["distance", "carrier"], system="flight_delay")
    assert refused.value.facts == {"feature": "carrier_"}


def test_other_bytes_of_a_flavour_without_a_canonical_form_say_nothing() -> None:
    assert isinstance(judge_repeatability(b"a", b"b", canonical=False), NotEvaluated)
    assert isinstance(judge_repeatability(b"a", b"a", canonical=False), Passed)
    assert isinstance(judge_repeatability(b"a", b"b"), Blocked)


def test_the_card_ranks_features_and_says_what_was_not_judged_and_how_many_candidates_were_tried() -> None:
    ranked = (Importance("distance", 0.0312), Importance("carrier", -0.001))
    text = card(Passed(), repeatable=NotEvaluated("no form"), importance=ranked, tried=20).to_markdown()
    assert "- repeatability not evaluated: no form" in text
    assert "Features by what their shuffling costs: distance +0.0312, carrier -0.001." in text
    assert "rounds=50, the best of 20 candidates." in text
