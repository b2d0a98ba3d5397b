"""How calls and what came of them are shown to people."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.agentops.run_log import Recording
from ops_pipelines.cli.agent_step_words import came_of
from ops_pipelines.cli.agent_words import exact, short_json
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.testing.run_log import entry_of

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@given(st.dictionaries(TEXTS, TEXTS | st.integers() | st.none(), max_size=3))
def test_a_call_is_shown_whole_and_as_no_other_call(arguments):
    shown = exact(canonical_json(arguments).decode())
    assert json.loads(shown) == arguments
    assert shown.isprintable()


@pytest.mark.parametrize("bare", [{"status": "done"}, {"status": "denied", "by": "the bank"}])
def test_a_result_that_happens_to_tell_a_status_is_shown_as_it_is(bare):
    entry = entry_of(outputs=bare)
    recording = Recording(entry.step.run, (entry.step,), {one.digest: one for one in entry.payloads})
    assert came_of(recording, entry.step) == short_json(bare)
