from datetime import datetime, timedelta

import pandas as pd
import pytest

from ops_pipelines.core.errors import ConfigError, DataError, OpsError, TrainingError
from ops_pipelines.mlops.task import CLASSIFICATION
from ops_pipelines.mlops.training import (
    ASKED_AT,
    KNOWN_AT,
    LABEL,
    Rows,
    Split,
    Weighting,
    fit,
    import_function,
    split_by_time,
)
from ops_pipelines.testing.release_store import NEW_YEAR

HOLDOUT, CUT_OFF = NEW_YEAR + timedelta(days=10), NEW_YEAR + timedelta(days=14)
MOMENT, HOUR = timedelta(microseconds=1), timedelta(hours=1)
GOOD = [
    (NEW_YEAR, NEW_YEAR + HOUR, 0.0),
    (NEW_YEAR, NEW_YEAR + HOUR, 1.0),
    (HOLDOUT, HOLDOUT + HOUR, 0.0),
    (HOLDOUT, HOLDOUT + HOUR, 1.0),
]


def frame_of(rows: list[tuple[datetime, datetime | None, float | None]]) -> pd.DataFrame:
    """A joined frame whose feature `number` is the row's position."""
    asked, known, labels = zip(*rows, strict=True)
    columns = {"number": range(len(rows)), "origin": "EWR", "gossip": "x"}
    instants = {ASKED_AT: pd.to_datetime(list(asked), utc=True), KNOWN_AT: pd.to_datetime(list(known), utc=True)}
    return pd.DataFrame(columns | instants | {LABEL: labels})


def split(*extra: tuple[datetime, datetime | None, float | None]) -> Split:
    """The split of four good rows (0 and 1 for training, 2 and 3 for judging) and these."""
    frame = frame_of([*GOOD, *extra])
    return split_by_time(
        frame, task=CLASSIFICATION, features=("number",), slices=("origin",), holdout_from=HOLDOUT, cut_off=CUT_OFF
    )


def extra_rows(rows: Rows) -> list[int]:
    return [number for number in rows.features["number"] if number > 3]


def test_earlier_rows_are_fitted_on_and_later_rows_judged_on() -> None:
    found = split()
    assert (found.train.features["number"].tolist(), found.holdout.features["number"].tolist()) == ([0, 1], [2, 3])
    assert (found.train.labels.tolist(), len(found.holdout)) == ([0.0, 1.0], 2)


@pytest.mark.parametrize(
    ("asked_at", "known_at", "part"),
    [
        (HOLDOUT - HOUR, HOLDOUT, "train"),
        (HOLDOUT - HOUR, HOLDOUT + MOMENT, "neither"),
        (HOLDOUT - MOMENT, HOLDOUT, "train"),
        (HOLDOUT, HOLDOUT + MOMENT, "holdout"),
        (CUT_OFF - HOUR, CUT_OFF, "holdout"),
        (CUT_OFF - HOUR, CUT_OFF + MOMENT, "neither"),
        (CUT_OFF, CUT_OFF + HOUR, "neither"),
    ],
    ids=[
        "known when the holdout begins",
        "asked before the holdout and known in it",
        "asked just before the holdout",
        "asked when the holdout begins",
        "known at the cut-off",
        "known after the cut-off",
        "asked at the cut-off",
    ],
)
def test_a_row_belongs_where_it_was_asked_and_its_label_known(asked_at, known_at, part: str) -> None:
    found = split((asked_at, known_at, 1.0))
    assert {"train": extra_rows(found.train), "holdout": extra_rows(found.holdout)} == {
        "train": [4] if part == "train" else [],
        "holdout": [4] if part == "holdout" else [],
    }


@pytest.mark.parametrize(
    ("asked_at", "known_at", "inside"),
    [
        (HOLDOUT - HOUR, HOLDOUT + MOMENT, True),
        (CUT_OFF - MOMENT, CUT_OFF, True),
        (CUT_OFF - HOUR, CUT_OFF + MOMENT, False),
        (CUT_OFF, CUT_OFF + HOUR, False),
        (CUT_OFF - HOUR, None, False),
    ],
    ids=["in neither part", "at the very end", "known after the cut-off", "asked at the cut-off", "never known"],
)
def test_the_period_is_every_row_that_was_labelled_by_the_cut_off(asked_at, known_at, inside: bool) -> None:
    found = split((asked_at, known_at, 1.0))
    numbers = [0, 1, 2, 3] + [4] * inside
    assert found.period.features["number"].tolist() == numbers
    expected = pd.to_datetime([known for _, known, _ in [*GOOD, (asked_at, known_at, 1.0)]], utc=True)[numbers]
    assert found.known_at.tolist() == expected.tolist()


@pytest.mark.parametrize(("known_at", "label"), [(None, 1.0), (NEW_YEAR + HOUR, None), (None, None)])
def test_a_row_whose_label_is_not_known_is_in_neither_part(known_at, label) -> None:
    found = split((NEW_YEAR, known_at, label))
    assert extra_rows(found.train) == extra_rows(found.holdout) == []


@pytest.mark.parametrize("known_at", [NEW_YEAR, NEW_YEAR - MOMENT], ids=["at once", "before"])
def test_a_label_that_is_known_when_its_row_is_asked_is_a_leak(known_at) -> None:
    with pytest.raises(DataError, match="1 labels are known before their row is asked"):
        split((NEW_YEAR, known_at, 1.0))


@pytest.mark.parametrize(("rows", "part"), [(GOOD[1:], "training"), (GOOD[:3], "holdout"), (GOOD[:2], "holdout")])
def test_a_part_without_both_classes_is_refused(rows, part: str) -> None:
    with pytest.raises(DataError, match=f"The {part} part has"):
        split_by_time(
            frame_of(rows), task=CLASSIFICATION, features=("number",), slices=(), holdout_from=HOLDOUT, cut_off=CUT_OFF
        )


def test_a_label_that_is_no_outcome_is_refused() -> None:
    with pytest.raises(DataError, match=r"neither 0 nor 1.*Name another column"):
        split((NEW_YEAR, NEW_YEAR + HOUR, 37.0))


def test_a_copy_of_the_rows_may_be_changed_without_anybody_seeing_it() -> None:
    rows = split().train
    rows.copy().features["number"] = 99
    assert rows.features["number"].tolist() == [0, 1]


def test_a_training_function_sees_the_features_and_nothing_else() -> None:
    found = split()
    assert list(found.train.features.columns) == ["number"]
    assert list(found.slices.columns) == ["origin"]


def test_features_labels_instants_and_slices_share_a_fresh_index() -> None:
    found = split()
    parts = (found.holdout.features, found.holdout.labels, found.holdout.asked_at, found.slices)
    assert [list(part.index) for part in parts] == [[0, 1]] * 4


def test_the_period_and_when_its_labels_were_known_share_a_fresh_index() -> None:
    frame = frame_of([(NEW_YEAR, None, None), *GOOD])
    found = split_by_time(
        frame, task=CLASSIFICATION, features=("number",), slices=(), holdout_from=HOLDOUT, cut_off=CUT_OFF
    )
    parts = (found.period.features, found.period.labels, found.period.asked_at, found.known_at)
    assert [list(part.index) for part in parts] == [[0, 1, 2, 3]] * 4


def test_fit_returns_the_model_with_its_parameters_and_seed() -> None:
    model = fit(lambda rows, params, seed: (len(rows), params["rounds"], seed), split().train, {"rounds": 50}, 7)
    assert model == (2, 50, 7)


def test_a_training_function_that_raises_is_named_and_its_error_chained() -> None:
    def hopeful(rows, params, seed):
        return params["round"]

    with pytest.raises(TrainingError, match=r"hopeful raised KeyError: 'round'") as raised:
        fit(hopeful, split().train, {"rounds": 50}, 7)
    assert isinstance(raised.value.__cause__, KeyError)
    assert raised.value.facts["function"].endswith("hopeful")


def test_a_training_function_that_forgets_to_return_is_told_so() -> None:
    with pytest.raises(TrainingError, match="returned None"):
        fit(lambda rows, params, seed: None, split().train, {}, 7)


def test_an_error_of_ours_inside_a_training_function_passes_unchanged() -> None:
    error = OpsError("The rounds are negative", expected="1 or more", action="Raise them")

    def strict(rows, params, seed):
        raise error

    with pytest.raises(OpsError) as raised:
        fit(strict, split().train, {}, 7)
    assert raised.value is error


def test_a_function_is_found_by_its_path() -> None:
    assert import_function("ops_pipelines.mlops.training:fit", what="training function") is fit


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("fit", r"given as 'fit'\. Expected: module:function"),
        ("ops_pipelines.mlops.training:", "Expected: module:function"),
        ("ops_pipelines.mlops.trainin:fit", "cannot be imported: No module named"),
        ("ops_pipelines.mlops.training:fti", r"has no function 'fti'.*Did you mean 'fit'\?$"),
        ("ops_pipelines.mlops.training:LABEL", "has no function 'LABEL'"),
    ],
    ids=["no module", "no function", "unknown module", "near miss", "not a function"],
)
def test_a_path_that_names_no_function_says_what_is_missing(path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        import_function(path, what="training function")
    assert str(refused.value).startswith("The training function ")


def weights_of(weighting: Weighting) -> list[float] | None:
    frame = frame_of(GOOD).assign(seats=[100.0, 50.0, 0.0, 10.0])
    found = split_by_time(
        frame,
        task=CLASSIFICATION,
        features=("number",),
        slices=(),
        holdout_from=HOLDOUT,
        cut_off=CUT_OFF,
        weighting=weighting,
    )
    assert found.holdout.weights is None
    return None if found.train.weights is None else found.train.weights.tolist()


def test_rows_have_no_weights_unless_they_are_asked_for() -> None:
    assert weights_of(Weighting()) is None


def test_a_row_two_half_lives_before_the_cut_off_counts_a_quarter() -> None:
    assert weights_of(Weighting(half_life_weeks=1)) == [0.25, 0.25]


def test_a_column_and_a_half_life_are_multiplied() -> None:
    assert weights_of(Weighting(half_life_weeks=2, column="seats")) == [50.0, 25.0]


@pytest.mark.parametrize("odd", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_cannot_be_meant_is_refused(odd: float) -> None:
    frame = frame_of(GOOD).assign(seats=odd)
    with pytest.raises(DataError, match="4 rows have a weight in 'seats'"):
        Weighting(column="seats").of(frame, CUT_OFF)


def test_a_half_life_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="half_life_weeks under `weights` is 0"):
        Weighting(half_life_weeks=0)
