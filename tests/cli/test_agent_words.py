"""How a call is shown to whoever answers for it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.cli.agent_words import exact
from ops_pipelines.core.fingerprint import canonical_json

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@given(st.dictionaries(TEXTS, TEXTS | st.integers() | st.none(), max_size=3))
def test_a_call_is_shown_whole_and_as_no_other_call(arguments):
    shown = exact(canonical_json(arguments).decode())
    assert json.loads(shown) == arguments
    assert shown.isprintable()
