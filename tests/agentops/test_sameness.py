import pytest

from ops_pipelines.agentops.sameness import ids_listed, key_of

ONE, TWO = "6f1c2a9e-1f7b-4a3e-9d0c-0a1b2c3d4e5f", "7a2d3b0f-2a8c-4b4f-8e1d-1b2c3d4e5f60"
THREE = "8b3e4c1a-3b9d-4c5a-9f2e-2c3d4e5f6071"


def are_same(one: dict, two: dict, results: tuple[str, str] = ("ok", "ok"), **known) -> bool:
    return key_of("a", "t", one, results[0], **known) == key_of("a", "t", two, results[1], **known)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"q": "late?", "request_id": 1}, {"q": "late?", "request_id": 2}),
        ({"q": "late?", "message_id": "m-1"}, {"q": "late?", "message_id": "m-2"}),
        ({"q": "late?", "id": ONE}, {"q": "late?", "id": TWO}),
        ({"q": f"see {ONE}"}, {"q": f"see {TWO}"}),
        ({"q": "late?", "sent_at": "2026-01-01T10:00:00Z"}, {"q": "late?", "sent_at": "2026-01-01T10:00:01Z"}),
        ({"q": "asked 2026-01-01T10:00:00Z"}, {"q": "asked 2026-01-01T10:00:09Z"}),
        ({"attempt": 1}, {"attempt": 2}),
        ({"q": "late?", "id": "k3j9x2ab"}, {"q": "late?", "id": "p0q8w7zz"}),
        ({"message": f"see {ONE}"}, {"message": f"see {TWO}"}),
        ({"q": "x", "deep": {"trace_id": "a"}}, {"q": "x", "deep": {"trace_id": "b"}}),
    ],
)
def test_what_is_about_the_message_makes_no_difference(one, two):
    assert are_same(one, two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"record": 1}, {"record": 2}),
        ({"record_id": "rec-1", "status": "done"}, {"record_id": "rec-2", "status": "done"}),
        ({"record_id": ONE, "status": "done"}, {"record_id": TWO, "status": "done"}),
        ({"key": ONE}, {"key": TWO}),
        ({"q": "late?"}, {"q": "early?"}),
        ({"day": "2013-01-01", "m": "x"}, {"day": "2013-01-02", "m": "x"}),
        ({"hour": "2013-01-01T01:00:00", "m": "x"}, {"hour": "2013-01-01T02:00:00", "m": "x"}),
        ({"message_id": 1}, {"message_id": 2}),
        ({"message": "is it late?"}, {"message": "is it early?"}),
        ({"id": 17, "status": "done"}, {"id": 18, "status": "done"}),
        ({"id": "rec-0017", "status": "done"}, {"id": "rec-0018", "status": "done"}),
        ({"id": "k3j9x2ab"}, {"id": "p0q8w7zz"}),
    ],
)
def test_what_a_call_is_about_makes_a_difference(one, two):
    assert not are_same(one, two)


def test_ids_that_were_listed_are_worked_through():
    assert are_same({"id": ONE, "q": "x"}, {"id": TWO, "q": "x"})
    assert not are_same({"id": ONE, "q": "x"}, {"id": TWO, "q": "x"}, listed={ONE, TWO})


def test_an_id_that_was_handed_on_is_part_of_the_round():
    one, two = {"ticket_id": ONE, "q": "x"}, {"ticket_id": TWO, "q": "x"}
    assert are_same(one, two, handed_on=frozenset({ONE, TWO}))


@pytest.mark.parametrize(
    ("results", "same"),
    [
        ((f'{{"id": "{ONE}", "state": "open"}}', f'{{"id": "{TWO}", "state": "open"}}'), True),
        (("ticket T-17 is open", "ticket T-18 is open"), True),
        (("41% done", "42% done"), False),
        (('{"rows": 41}', '{"rows": 42}'), False),
    ],
)
def test_ids_in_results_make_no_difference_and_progress_does(results, same):
    assert are_same({"q": "x"}, {"q": "x"}, results) is same


def test_several_ids_under_one_name_are_a_list_and_the_ids_of_one_record_are_none():
    assert ids_listed(f'[{{"id": "{ONE}"}}, {{"id": "{TWO}"}}, {{"id": "{THREE}"}}]') == {ONE, TWO, THREE}
    assert {"k3j9x2", "c8231"} <= ids_listed('{"ids": ["k3j9x2", "C8231", "z0z0z0"]}')
    assert ids_listed(f'{{"id": "{ONE}", "owner": "{TWO}", "trace": "{THREE}"}}') == frozenset()
