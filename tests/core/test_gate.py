from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.gate import Judgement, decide
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

THIS, OTHER = "a" * 64, "b" * 64
VERDICTS = st.sampled_from([Passed(), Blocked(("too slow",)), NotEvaluated("no rows")])
JUDGEMENTS = st.lists(
    st.builds(Judgement, st.sampled_from("xyz"), st.sampled_from([THIS, OTHER]), VERDICTS), max_size=4
)


def judged(name: str, verdict: Verdict, subject: str = THIS) -> Judgement:
    return Judgement(name, subject, verdict)


def test_opens_when_every_required_judgement_passed() -> None:
    judgements = [judged("gain", Passed({"nats": 0.01})), judged("repeatable", Passed())]
    expected = Passed({"gain": {"nats": 0.01}, "repeatable": {}})
    assert decide(THIS, required=["gain", "repeatable"], judgements=judgements) == expected


def test_a_gate_that_asks_nothing_is_not_evaluated() -> None:
    assert isinstance(decide(THIS, required=[], judgements=[judged("gain", Passed())]), NotEvaluated)


def test_a_judgement_that_was_never_made_leaves_the_gate_shut() -> None:
    verdict = decide(THIS, required=["gain"], judgements=[])
    assert verdict == NotEvaluated("gain: was never judged", {"gain": {}})


def test_a_judgement_of_something_else_is_stale() -> None:
    verdict = decide(THIS, required=["gain"], judgements=[judged("gain", Passed(), subject=OTHER)])
    assert isinstance(verdict, NotEvaluated)
    assert "is stale: it judged bbbbbbbbbbbb and not aaaaaaaaaaaa" in verdict.why


def test_a_refusal_wins_over_what_is_not_known() -> None:
    judgements = [judged("gain", Blocked(("worse by 0.1",)))]
    verdict = decide(THIS, required=["never made", "gain"], judgements=judgements)
    assert isinstance(verdict, Blocked)
    assert verdict.reasons == ("worse by 0.1",)


def test_the_latest_judgement_of_a_name_counts() -> None:
    judgements = [judged("gain", Passed()), judged("gain", Blocked(("worse",)))]
    assert isinstance(decide(THIS, required=["gain"], judgements=judgements), Blocked)


def test_a_judgement_that_nobody_required_cannot_shut_the_gate() -> None:
    judgements = [judged("gain", Passed()), judged("style", Blocked(("ugly",)))]
    assert isinstance(decide(THIS, required=["gain"], judgements=judgements), Passed)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("xyz"), unique=True), JUDGEMENTS)
def test_passes_only_where_the_latest_of_each_required_name_judged_this_and_passed(
    required: list[str], judgements: list[Judgement]
) -> None:
    latest = {judgement.name: judgement for judgement in judgements}
    good = all(name in latest and latest[name] == judged(name, Passed()) for name in required)
    assert isinstance(decide(THIS, required=required, judgements=judgements), Passed) == (bool(required) and good)
