"""The conformance suite of `agentops.run_following.FollowedRunLog`, for the fake and every adapter.

It goes beyond `RunLogConformance`, whose tests it runs too. The fake is `ops_pipelines.testing.run_log.MemoryRunLog`.
"""

from ops_pipelines.agentops.run_following import BEGINNING, FollowedRunLog, entry_kept
from ops_pipelines.testing.run_log import RUN, WEEK, RunLogConformance, entry_of

_OTHER = "b" * 32


class FollowedRunLogConformance(RunLogConformance):
    """What every FollowedRunLog guarantees, as tests of the fixture `log`."""

    def test_steps_are_followed_across_runs_in_the_order_in_which_they_were_kept(self, log: FollowedRunLog) -> None:
        log.append([entry_of("a"), entry_of("b", run=_OTHER)])
        log.append([entry_of("c")])
        found = log.steps_after(BEGINNING)
        assert [kept.step.name for kept in found] == ["a", "b", "c"]
        assert found[0].sequence < found[1].sequence < found[2].sequence == log.last_sequence()

    def test_who_follows_by_pages_of_any_size_sees_each_step_once(self, log: FollowedRunLog) -> None:
        log.append([entry_of(occurrence=number) for number in range(7)])
        seen, cursor = [], BEGINNING
        while page := log.steps_after(cursor, limit=3):
            cursor = page[-1].sequence
            seen += [kept.step.occurrence for kept in page]
        assert seen == list(range(7))

    def test_a_step_that_is_kept_again_gets_no_other_number(self, log: FollowedRunLog) -> None:
        log.append([entry_of()])
        last = log.last_sequence()
        log.append([entry_of()])
        assert (log.last_sequence(), log.steps_after(last)) == (last, ())

    def test_a_followed_step_has_its_payloads(self, log: FollowedRunLog) -> None:
        entry = entry_of(inputs={"week": 25}, outputs=[1])
        log.append([entry])
        found = entry_kept(log, log.steps_after(BEGINNING)[0].step)
        assert (found.step, set(found.payloads)) == (entry.step, set(entry.payloads))

    def test_an_empty_log_begins_at_the_beginning(self, log: FollowedRunLog) -> None:
        assert (log.last_sequence(), log.steps_after(BEGINNING), log.forget([RUN])) == (BEGINNING, (), 0)

    def test_a_forgotten_run_takes_along_what_nobody_else_names(self, log: FollowedRunLog) -> None:
        going, staying = entry_of(inputs="own", outputs="shared"), entry_of(run=_OTHER, inputs="shared")
        log.append([going, staying])
        assert (log.forget([RUN, "c" * 32]), log.steps(RUN), [one.run for one in log.runs(WEEK)]) == (1, (), [_OTHER])
        assert log.payload(going.step.inputs) is None
        assert log.payload(going.step.outputs) is not None

    def test_no_number_is_given_twice_whatever_is_forgotten(self, log: FollowedRunLog) -> None:
        log.append([entry_of(), entry_of(run=_OTHER)])
        last = log.last_sequence()
        assert log.forget([RUN, _OTHER]) == 1
        log.append([entry_of("next")])
        assert [kept.step.name for kept in log.steps_after(last)] == ["next"]
