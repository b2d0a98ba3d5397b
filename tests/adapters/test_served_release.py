"""What may be loaded to answer, and what is refused before a byte of it is loaded."""

from dataclasses import replace

import pytest

from ops_pipelines.adapters.flavours import flavour_named
from ops_pipelines.adapters.predictor import predictor_of
from ops_pipelines.adapters.served_release import load_served, scorer_of
from ops_pipelines.core.errors import ArtefactError, ReleaseError
from ops_pipelines.core.release import Manifest, Release
from ops_pipelines.testing.flavours import hostile_bytes
from ops_pipelines.testing.served import KEY, LINEAR, ROW, TRIPS, ServedHome, golden_rows, linear_model, score_of_row


@pytest.fixture
def home(tmp_path):
    return ServedHome.at(tmp_path)


def columns_of_row():
    return {name: [value] for name, value in ROW.items()}


def test_a_release_is_warm_with_what_it_takes_and_whose_its_rows_are(home):
    served = load_served(home.objects, home.publish_linear(3.0))
    assert served.score(columns_of_row()) == [score_of_row(3.0)]
    assert [(one.name, one.kind, one.may_be_missing) for one in served.signature.columns] == [
        ("distance", "float", False),
        ("wind", "float", True),
    ]
    assert (served.entity, served.service) == (KEY, TRIPS)


def test_without_golden_rows_every_feature_is_a_number_that_may_be_missing(home):
    release = home.publish(flavour_named(LINEAR).dump(linear_model(0.0)), flavour=LINEAR, entity=None)
    served = load_served(home.objects, release)
    assert all(one.kind == "float" and one.may_be_missing for one in served.signature.columns)
    assert served.entity is None


def test_a_heavy_model_and_a_boosted_one_answer_too(home):
    assert load_served(home.objects, home.publish_heavy(3.0, megabytes=1)).score(columns_of_row()) == [
        score_of_row(3.0)
    ]
    boosted = [load_served(home.objects, home.publish_boosted(seed)) for seed in (0, 1)]
    scores = [one.score({"distance": [500.0], "wind": [None], "late": [True]})[0] for one in boosted]
    assert scores[0] != scores[1]


@pytest.mark.parametrize("part", ["model", "recipe", "features"])
@pytest.mark.parametrize("how", ["gone", "changed"])
def test_a_part_that_is_gone_or_changed_is_refused_by_its_digest(home, part, how):
    release = home.publish_linear(0.0)
    digest = release.manifest.behaviour[part]
    file = home.objects.root / digest[:2] / digest
    file.unlink() if how == "gone" else file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(ArtefactError, match=digest[:12]):
        load_served(home.objects, release)


@pytest.mark.parametrize("form", ["pickle", "pickle in an archive", "escape"])
@pytest.mark.parametrize("flavour", ["lightgbm", "sklearn"])
def test_hostile_bytes_that_somebody_vouched_for_are_refused_by_our_flavours(home, tmp_path, form, flavour):
    marker = tmp_path / "marker"
    release = home.publish(hostile_bytes(marker)[form], flavour=flavour)
    with pytest.raises(ArtefactError):
        load_served(home.objects, release)
    assert not marker.exists()


def test_a_release_that_answers_otherwise_than_it_was_gated_is_refused(home):
    before = home.publish(flavour_named(LINEAR).dump(linear_model(0.0)), flavour=LINEAR, rows=golden_rows())
    after = home.publish(flavour_named(LINEAR).dump(linear_model(1.0)), flavour=LINEAR, rows=golden_rows())
    swapped = Release(after.manifest, before.evidence)
    with pytest.raises(ReleaseError, match="4 of 4 golden rows score otherwise"):
        load_served(home.objects, swapped)


class OneScoreForAll:
    """A flavour that gives one score for any number of rows."""

    def dump(self, model):
        return b"0.5"

    def load(self, content):
        return float(content)

    def predict(self, model, features):
        import numpy as np

        return np.array([model])

    def features(self, model):
        return tuple(ROW)


def test_a_release_whose_golden_rows_cannot_be_judged_is_refused(home):
    release = home.publish(b"0.5", flavour=f"{__name__}:OneScoreForAll", rows=golden_rows().slice(0, 1))
    more = home.publish(flavour_named(LINEAR).dump(linear_model(0.0)), flavour=LINEAR, rows=golden_rows())
    with pytest.raises(ReleaseError, match="not evaluated"):
        load_served(home.objects, Release(release.manifest, more.evidence))


def test_a_composite_is_not_served(home):
    release = home.publish_linear(0.0)
    composite = replace(release, manifest=Manifest("desk", {"model": release.manifest.behaviour["model"]}))
    with pytest.raises(ReleaseError, match="a composite is called through"):
        load_served(home.objects, composite)


def test_a_flavour_without_a_scorer_scores_like_a_week_of_rows(home):
    predict = predictor_of(home.objects, home.publish_linear(2.0))
    assert not hasattr(predict.flavour, "scorer")
    assert scorer_of(predict)({"distance": [1000, 250.5], "wind": [None, 4]}) == pytest.approx([3.1, 2.2905])
