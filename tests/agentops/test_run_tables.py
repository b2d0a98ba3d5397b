import json
from datetime import timedelta

from ops_pipelines.agentops.effects import DONE, Intent, Outcome
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.run_tables import effect_id, steps_of_table, table_of_effects, table_of_steps
from ops_pipelines.testing.agent_program import Investigation, Outside, record
from ops_pipelines.testing.effect_journal import MemoryEffectJournal
from ops_pipelines.testing.run_log import MONDAY, RUN, MemoryRunLog

LATER = MONDAY + timedelta(hours=1)


def test_steps_come_back_from_their_table_as_they_were_and_in_their_order():
    log = MemoryRunLog()
    record(Investigation(Outside(), 2), log.append)
    table = table_of_steps(log.steps(RUN))
    assert steps_of_table(table) == log.steps(RUN)


def test_no_step_is_a_table_without_columns():
    assert (table_of_steps([]).num_rows, steps_of_table(table_of_steps([]))) == (0, ())


def test_an_effect_has_another_row_once_somebody_knows_what_came_of_it():
    journal = MemoryEffectJournal()
    journal.start(Intent("k", "note", "{}", "r1", "r"), at=MONDAY, until=MONDAY + timedelta(minutes=1))
    (unknown,) = table_of_effects(journal.entries(), LATER, Redactor()).to_pylist()
    journal.end("k", Outcome(DONE, "sent", "anna"), at=LATER)
    (entry,) = journal.entries()
    (done,) = table_of_effects([entry], LATER, Redactor()).to_pylist()
    assert (unknown["row"], unknown["state"]) == ("k#unknown", "unknown")
    assert (done["row"], done["state"], done["by"]) == (effect_id(entry, LATER), "done", "anna")


def test_what_is_secret_in_the_arguments_of_a_call_does_not_come_into_the_lake():
    journal = MemoryEffectJournal()
    arguments = '{"password":"hunter2","to":"anna@example.com"}'
    journal.start(Intent("k", "note", arguments, "r1", "r"), at=MONDAY, until=LATER)
    (row,) = table_of_effects(journal.entries(), LATER, Redactor()).to_pylist()
    assert json.loads(row["arguments"]) == {"password": "[redacted value]", "to": "[redacted email]"}
