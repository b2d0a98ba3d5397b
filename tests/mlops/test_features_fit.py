from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable
from ops_pipelines.mlops.features_fit import judge_features_fit

TABLE = FeatureTable("planes", "aircraft", ("tailnum",), "known_at", ("seats", "year"), None)
SERVICE = FeatureService("delay", (TABLE,))


def test_a_service_may_offer_more_than_a_model_needs() -> None:
    assert judge_features_fit(["seats"], SERVICE) == Passed({"service": "delay", "features": 1})


def test_each_feature_that_a_service_lacks_is_named_with_the_nearest() -> None:
    verdict = judge_features_fit(["seat", "year"], SERVICE)
    assert isinstance(verdict, Blocked)
    assert verdict.reasons == ("its service 'delay' has no 'seat'. Did you mean 'seats'?",)
