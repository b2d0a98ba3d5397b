import json
import urllib.request

import pytest

from ops_pipelines.testing.provider import provider_running
from ops_pipelines.testing.provider_script import (
    CUT,
    Fault,
    ProviderScript,
    Reply,
    Stage,
    read_script,
    write_script,
)

SCRIPT = ProviderScript(
    stages=(
        Stage(answers_as="desk-1", latency_ms=5),
        Stage(after=2, replies=(Reply("door", "red", 3),), tokens_factor=5),
    ),
    faults=(Fault(CUT, times=2, contains="door"),),
    models=("desk-1",),
)


def test_a_script_is_written_and_read_as_json():
    assert read_script(write_script(SCRIPT)) == SCRIPT


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"fault": []}', "fault"),
        (b'{"faults": [{"kind": "explode"}]}', "explode"),
        (b'{"stages": [{"after": 1}]}', "first stage"),
        (b'{"stages": [{"latency_ms": "slow"}]}', "latency_ms"),
    ],
)
def test_a_script_that_says_something_else_is_refused_with_the_place(text, why):
    with pytest.raises(ValueError, match=why):
        read_script(text)


def test_the_later_of_two_stages_that_began_holds():
    assert [SCRIPT.stage(number).tokens_factor for number in (0, 1, 2, 9)] == [1, 1, 5, 5]


def test_the_process_is_scripted_looked_at_and_speaks_the_protocol():
    with provider_running(ProviderScript(stages=(Stage(answers_as="desk-1", fingerprint="fp_7"),))) as provider:
        body = json.dumps({"model": "desk", "messages": [{"role": "user", "content": "hello"}]}).encode()
        asked = urllib.request.Request(
            f"{provider.base_url}/chat/completions", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(asked) as response:
            answer = json.load(response)
        assert (answer["object"], answer["model"], answer["system_fingerprint"]) == (
            "chat.completion",
            "desk-1",
            "fp_7",
        )
        assert (provider.count(), provider.calls()[0]["body"]["model"]) == (1, "desk")
