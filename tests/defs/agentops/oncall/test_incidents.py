"""What `oncall` remembers of a system, and what it does about it."""

from ops_pipelines.core.fingerprint import short


def rolled_back(oncall, ran, say):
    say(ran)
    return oncall.resume(ran.run)


def test_what_was_done_about_an_alarm_is_remembered_once(oncall, waiting, say, platform):
    rolled_back(oncall, waiting, say)
    (scope,) = platform.memory.scopes()
    (change,) = platform.memory.changes(scope)
    assert change.key == "incidents of flight_delay"
    assert [one["did"] for one in change.value] == ["roll back"]


def test_a_system_that_was_rolled_back_lately_is_not_rolled_to_and_fro(oncall, watched, waiting, say, capsys):
    rolled_back(oncall, waiting, say)
    before = watched.live()
    second = next(one.digest for one in watched.platform.releases.releases("flight_delay") if one.digest != before)
    watched.platform.roll_back("flight_delay", second, actor="anna", reason="by hand")
    watched.week(loss=0.7, before=(before, 0.6), week="2013-06-25")
    ran = oncall.start({"alarm": watched.alarm(week="2013-06-25")})
    assert ran.result["did"] == "notify"
    assert "already, and not to and fro" in capsys.readouterr().out
    assert short(watched.live()) == short(second)


def test_a_replay_remembers_what_the_run_did(oncall, waiting, say):
    rolled_back(oncall, waiting, say)
    assert oncall.replay(waiting.run).identical
