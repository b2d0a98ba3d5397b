def test_the_clock_is_moved_and_let_go_again(ops, home):
    assert ops("clock", "2013-04-02", "--json").json() == [{"as of": "2013-04-02T00:00:00+00:00", "replayed": True}]
    assert home.platform.clock.as_of().year == 2013
    assert ops("clock", "wall", "--json").json()[0]["replayed"] is False


def test_what_is_no_day_is_wrong_usage(ops, home):
    said = ops("clock", "soon")
    assert (said.code, "no instant" in said.err) == (2, True)
