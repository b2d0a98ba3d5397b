import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.adapters.secret_scan import find_secrets
from ops_pipelines.agentops.redaction import Redactor, may_hold_secret
from ops_pipelines.core.fingerprint import canonical_json

KEY = "sk-" + "proj-Zk3vQ9xT2mLp7RwB4nYc"
SECRETS = {
    "provider key": KEY,
    "cloud key": "AKIA" + "IOSFODNN7EXAMPLE",
    "forge token": "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a",
    "web token": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----",
    "card": "4111 1111 1111 1111",
    "account": "GB82 WEST 1234 5698 7654 32",
    "email": "ada.lovelace@example.org",
    "phone": "+44 20 7946 0958",
    "number of a person": "536-90-4399",
}
REDACTOR = Redactor(find_secrets, b"a key of the home")
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
@pytest.mark.parametrize("around", ["{}", "It is {}, he said.", "a=1\nValueError: {}\nb", '{{"to": "{}"}}', "x:{}"])
def test_a_secret_is_taken_out_wherever_it_stands_in_a_text(secret, around):
    redacted = REDACTOR.text(around.format(secret))
    assert "[redacted" in redacted
    assert not any(part in redacted for part in secret.split() if len(part) > 3)


@settings(deadline=None)
@given(PLAIN, st.sampled_from(sorted(SECRETS.values())), PLAIN)
def test_no_secret_is_left_in_a_value_a_name_or_a_nested_list(before, secret, after):
    value = {"before": before, "nested": [{"deeper": [secret, {secret: after}]}], "said": f"He said {secret} twice."}
    assert json.dumps(secret)[1:-1] not in json.dumps(REDACTOR.value(value))


@settings(deadline=None)
@given(PLAIN, st.sampled_from(sorted(SECRETS.values())))
def test_doing_it_twice_changes_nothing_more(value, secret):
    once = REDACTOR.value([value, {"password": secret, "text": f"{secret} or {secret}"}])
    assert REDACTOR.value(once) == once


@pytest.mark.parametrize(
    "name",
    ["password", "API_KEY", "db_password", "Authorization", "access-key", "client_secret", "session_token", "cvv"],
)
def test_a_value_under_a_telling_name_is_taken_out_whatever_it_looks_like(name):
    redacted = Redactor().value({name: "plain", "nested": {name: [1, "two"]}})
    assert "plain" not in json.dumps(redacted)
    assert "two" not in json.dumps(redacted)


@pytest.mark.parametrize(
    "text",
    [
        "The flight HAT028 leaves on 2024-05-21 at 15:00:00 for 1,234.50 dollars, week 2013-W25.",
        "run 4bf92f3577b34da6a3ce929d0e0e4736 took 1200 tokens; the token budget is 80% spent",
        "max_tokens: 12, tokens=1200, release ab12cd34",
        "order 1234567812345678 and 2013-06-25T00:00:00.000000+00:00",
        "docs/rollback.md#2 names the keys of the table",
    ],
)
def test_ordinary_text_is_left_as_it_is(text):
    assert REDACTOR.text(text) == text


def test_counts_of_tokens_and_unset_secrets_are_left_as_they_are():
    value = {"tokens": 12, "input_tokens": 3, "max_tokens": 9, "password": None, "token": "", "keys": ["a"]}
    assert REDACTOR.value(value) == value


def test_what_only_the_search_knows_takes_out_its_line_and_no_other():
    def find(text):
        return [(number, "Odd") for number, line in enumerate(text.split("\n"), 1) if "odd-secret" in line]

    assert Redactor(find).text("one\nan odd-secret\nthree") == "one\n[redacted odd]\nthree"


def test_ids_are_random_letters_and_stay_unless_they_have_the_shape_of_a_key():
    value = {"tool_call_id": "call_oPbvQ3W7cXzTj4u0hRm1xKe9", "id": KEY}
    redacted = REDACTOR.value(value)
    assert (redacted["tool_call_id"], redacted["id"][:13]) == (value["tool_call_id"], "[redacted key")


def test_two_secrets_are_told_apart_by_a_key_and_one_is_the_same_everywhere():
    first, second = REDACTOR.text("a@example.org"), REDACTOR.text("b@example.org")
    assert first != second
    assert REDACTOR.text("mail a@example.org") == f"mail {first}"
    assert Redactor(key=b"another").text("a@example.org") != first


def test_names_that_become_one_mark_lose_no_value():
    assert len(Redactor().value({"a@example.org": 1, "b@example.org": 2})) == 2


def test_a_card_is_known_by_its_check_digit_also_as_a_number():
    assert Redactor().value({"to": 4111111111111111, "not": 4111111111111112}) == {
        "to": "[redacted card]",
        "not": 4111111111111112,
    }


@settings(deadline=None)
@given(st.integers(10**18, 2 * 10**18), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_an_instant_as_a_number_is_never_taken_for_a_card(nanos, units):
    number = nanos // units
    assert Redactor().value({"at": number, "text": f"at {number}"}) == {"at": number, "text": f"at {number}"}


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    "text",
    ["a" * 200_000, "token " + "a" * 200_000, "1 " * 100_000, "a@" * 50_000, "-----BEGIN PRIVATE KEY-----" * 2_000],
    ids=["word", "named word", "digits", "signs", "begins"],
)
def test_no_text_is_slow(text):
    REDACTOR.text(text)


PARTS = (
    *(text for name, text in SECRETS.items() if name != "private key"),
    "key=",
    "token: ",
    "Bearer ",
    "555",
    "-",
    ".",
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(PARTS) | st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=6)))
def test_what_a_text_has_at_all_spares_searches_and_changes_nothing_that_is_found(parts):
    text, bare = "".join(parts), Redactor()
    assert bare.text(f"{text} é") == f"{bare.text(text)} é"


@pytest.mark.parametrize(
    "text", ["pa\u017f\u017fword: hunter22", "to\u212aen = hunter22", "ba\u017fic QWxhZGRpbjpvcGVu"]
)
def test_letters_of_other_scripts_that_are_taken_for_ours_hide_nothing(text):
    assert "[redacted" in Redactor().text(text)


def test_a_text_that_begins_like_tokens_without_end_is_searched_in_one_pass():
    text = "eyJaaaaaaaa-" * 80_000
    assert REDACTOR.text(text) == text
    assert SECRETS["web token"] not in REDACTOR.text(f"{text} x-{SECRETS['web token']}")


@pytest.mark.parametrize(
    "name",
    [
        "accessToken",
        "clientSecret",
        "dbPassword",
        "userApiKey",
        "http.request.header.cookie",
        "http.request.header.x-api-key",
    ],
)
def test_a_secret_is_known_by_its_name_however_that_is_written(name):
    assert REDACTOR.value({name: ["a9f8"]})[name].startswith("[redacted value")
    assert REDACTOR.value({"maxTokens": 5, "llm.token_count": 7}) == {"maxTokens": 5, "llm.token_count": 7}


SECRETS_ONLY = Redactor(find_secrets, b"a key of the home", secrets_only=True)
PERSONAL = ("card", "account", "email", "phone", "number of a person")
NAMES = ("password", "iban", "pin", "userToken", "x.api-key", "ssn", "id", "text", "to", "a@example.org")
VALUES = st.sampled_from([*PARTS, *SECRETS.values(), "x", "AC" + "0123456789abcdef" * 2, "\n"]) | st.text(max_size=6)
TEXTS = st.lists(VALUES, max_size=5).map("".join)
CALLS = st.dictionaries(st.sampled_from(NAMES) | TEXTS, TEXTS | st.integers() | st.lists(TEXTS, max_size=2), max_size=4)


def test_secrets_alone_are_taken_out_where_personal_data_is_to_stay():
    value = {name: f"see {SECRETS[name]}" for name in PERSONAL} | {"iban": "x", "to": 4111111111111111}
    assert SECRETS_ONLY.value(value) == value
    secret = {name: one for name, one in SECRETS.items() if name not in PERSONAL} | {"pin": 1234}
    assert all("[redacted" in one for one in SECRETS_ONLY.value(secret).values())


@settings(deadline=None, max_examples=40)
@given(CALLS)
def test_the_rest_taken_out_later_gives_what_is_given_at_once(value):
    kept = SECRETS_ONLY.value(value)
    assert SECRETS_ONLY.value(kept) == kept
    assert REDACTOR.value(kept) == REDACTOR.value(value)


@settings(deadline=None, max_examples=40)
@given(CALLS)
def test_what_is_not_worth_a_look_holds_no_secret(value):
    assert may_hold_secret(canonical_json(value).decode()) or SECRETS_ONLY.value(value) == value


@pytest.mark.parametrize("secret", [one for name, one in SECRETS.items() if name not in PERSONAL])
def test_every_known_secret_is_worth_a_look(secret):
    assert may_hold_secret(secret)
    assert may_hold_secret(json.dumps({"a": f'"{secret}', "ü": "ä"}))
