from pathlib import Path

import pytest

from ops_pipelines.adapters.redactors import secrets_out_of
from ops_pipelines.adapters.sqlite_effects import SQLiteEffectJournal
from ops_pipelines.agentops.effects import Intent, Outcome
from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.testing.effect_journal import EffectJournalConformance, MemoryEffectJournal, intent_of, started


class TestMemoryEffectJournal(EffectJournalConformance):
    @pytest.fixture
    def journal(self) -> MemoryEffectJournal:
        return MemoryEffectJournal()


class TestSQLiteEffectJournal(EffectJournalConformance):
    @pytest.fixture
    def journal(self, tmp_path: Path) -> SQLiteEffectJournal:
        return SQLiteEffectJournal(tmp_path / "log" / "effects.db", secrets=secrets_out_of(tmp_path))


def test_a_journal_that_is_no_database_is_an_error_and_starts_nothing(tmp_path):
    file = tmp_path / "effects.db"
    file.write_text("no database, and long enough to be taken for one" * 100)
    with pytest.raises(DataError, match="journal of effects"):
        started(SQLiteEffectJournal(file), "a")


def test_an_effect_ends_as_one_of_three():
    with pytest.raises(ConfigError, match="cannot end"):
        Outcome("probably")


def test_two_intents_are_the_same_thing_where_tool_and_arguments_are():
    other = Intent("b", "refund", '{"order":"b"}', "run-1", "b" * 64)
    assert (intent_of("a").is_as(intent_of("b")), intent_of("a").is_as(other)) == (True, False)
