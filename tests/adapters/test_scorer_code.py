import importlib.util
import sys

import pytest

from ops_pipelines.adapters.scorer_code import versioned_by_code
from ops_pipelines.llmops.evals.scorer import Rule
from ops_pipelines.llmops.evals.supported import GROUNDEDNESS


@pytest.fixture
def rule_of(tmp_path):
    """A team's rule, of a module with some text in its file."""

    def make(name: str, text: str) -> Rule:
        file = tmp_path / name / f"{name}.py"
        file.parent.mkdir()
        file.write_text(text)
        spec = importlib.util.spec_from_file_location(name, file)
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return Rule("ours", "1", module.judge)

    yield make
    for name in ("first_scorer", "second_scorer"):
        sys.modules.pop(name, None)


def test_a_rule_whose_code_was_edited_has_another_version(rule_of):
    first = rule_of("first_scorer", "def judge(judged): return None")
    second = rule_of("second_scorer", "def judge(judged): return 1")
    versions = [one.version for one in versioned_by_code([first, second])]
    assert versions[0].startswith("1/")
    assert versions[0] != versions[1]


def test_the_version_of_the_same_code_stays():
    assert versioned_by_code([GROUNDEDNESS]) == versioned_by_code([GROUNDEDNESS])
