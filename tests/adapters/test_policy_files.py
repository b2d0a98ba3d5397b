from datetime import UTC, datetime

import pytest

from ops_pipelines.adapters.policy_files import FREEZES, policy_in
from ops_pipelines.agentops.freeze import Freeze
from ops_pipelines.core.errors import ConfigError

READS = '@id("reads") permit(principal, action, resource) when { resource.effect == "read" };'
WEEK = "- {name: week, start: 2026-03-02T01:00:00+01:00, end: 2026-03-09T00:00:00+00:00}\n"


def test_a_folder_of_cedar_files_with_its_freezes_is_a_policy(tmp_path):
    (tmp_path / "reads.cedar").write_text(READS)
    (tmp_path / "readme.md").write_text("no policy")
    (tmp_path / FREEZES).write_text(WEEK)
    policy = policy_in(tmp_path)
    assert policy.texts == {"reads.cedar": READS}
    assert policy.freezes == (Freeze("week", datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)),)


def test_without_freezes_nothing_is_frozen(tmp_path):
    (tmp_path / "reads.cedar").write_text(READS)
    assert policy_in(tmp_path).freezes == ()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.txt", b""),
        ("broken.cedar", b"permit("),
        ("bytes.cedar", b"\xff\xfe"),
        (FREEZES, b"- {"),
        (FREEZES, b"week"),
        (FREEZES, b"- {name: week, start: 2026-03-02, end: 2026-03-09}"),
        (FREEZES, b"- {name: week}"),
    ],
)
def test_a_folder_that_cannot_be_used_is_an_error_and_no_policy(tmp_path, name, content):
    if name == FREEZES:
        (tmp_path / "reads.cedar").write_text(READS)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError):
        policy_in(tmp_path)
