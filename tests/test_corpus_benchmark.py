"""What the corpus benchmark does; whether a bound on time holds is no test."""

import pytest

from benchmarks import corpus


def test_a_re_snapshot_embeds_the_changed_documents_and_no_other():
    beyond, seconds = corpus._resnapshot(100)
    assert (beyond.ours, beyond.holds) == (0, True)
    assert seconds.ratio > 0


def test_without_the_public_data_the_rows_are_skipped_and_say_so(monkeypatch):
    monkeypatch.setenv("OPS_BENCH_DATA", "nowhere")
    rows = list(corpus._retrieval())
    assert [row.holds for row in rows] == [None, None, None]
    assert all("Cranfield files are not" in row.note for row in rows)


@pytest.mark.skipif(not (corpus.data() / "cranfield_docs.jsonl").is_file(), reason="the public data is not here")
def test_every_question_of_the_public_data_has_a_judgement():
    documents, questions, gains = corpus._cranfield()
    assert (len(documents), len(questions)) == (1400, 225)
    assert all(any(gain > 0 for gain in judged.values()) for judged in gains.values())
