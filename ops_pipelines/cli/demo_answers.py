"""The demo's chapter `answers`: a prompt and its corpus are released, edited, cut, and looked after.

It is told in a copy of the project under the demo's home, since it edits the prompt and deletes a document. The releases,
evaluations and calls are the home's own, and stay for the UI.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.cli.demo_desk import CORPUS, PARTS, SYSTEM, Desk, Made, desk_in
from ops_pipelines.cli.demo_walk import Advance
from ops_pipelines.core.fingerprint import short

if TYPE_CHECKING:
    from ops_pipelines.testing.provider_script import ProviderScript

QUESTION = "After the pointer has moved back, how long do the servers need to follow?"
CUT, ABOUT_CUT = (
    "docs/runbooks/release_store_gone.md",
    "Do the servers go on answering while the release store is gone?",
)
OTHER_EMBEDDER = "ops_pipelines.cli.demo_desk:upgraded_embedder"
MODEL, SCRIPTED = "desk-4", "scripted provider"
QUIET_DAYS = 8
STEPS = 6
"""How many steps of the bar the chapter takes."""
NEXT_STEPS = [
    (f".venv/bin/ops ask {SYSTEM} 'What does a drift alarm mean?'", "what is live, with its passages and its price"),
    (f".venv/bin/ops releases {SYSTEM}", "every release, and why it is or is not live"),
    (".venv/bin/ops eval show runbook_answers", "its last evaluation: means, intervals, failures"),
    (".venv/bin/ops cost", "what it all came to"),
]
_BY_SCRIPT: Mapping[str, Any] = {
    "prices": {f"openai/{MODEL}": {"input_usd": 2, "output_usd": 8}},
    "gate": {"least": {"groundedness": 0.5}, "compared": ["says", "refusal"], "margin": 0.1},
    "cost": {"most_times": None},
}
"""What is declared beside the project's own settings while the scripted provider answers, which no price list knows."""


def tell_answers(home: Path, advance: Advance) -> list[dict[str, str]]:
    """The chapter's rows: what was done, what came of it, and where to look."""
    with desk_in(home) as desk:
        return [*_by_the_reader(desk, advance), *_by_a_script(desk, advance)]


def _by_the_reader(desk: Desk, advance: Advance) -> Iterator[dict[str, str]]:
    """By the reader that comes with the project: a first release, a dear prompt, a deleted document, an embedder."""
    advance("answers: snapshot, evaluation, first release", 1)
    made = desk.made("snapshot", *PARTS)
    yield _row("runbooks are read, evaluated and released", f"{desk.scores()}: {made}", "ops eval show runbook_answers")
    answer = desk.ask(QUESTION)
    yield _row(f"asked: {QUESTION}", answer.text, f"ops why {answer.id}")
    advance("answers: a prompt that costs eight times as much", 1)
    yield _row("a prompt of many more words", str(_dear_prompt(desk)), f"ops releases {SYSTEM}")
    advance("answers: a document is deleted", 1)
    yield from _cut_document(desk)
    advance("answers: another embedder", 1)
    refused = desk.made("snapshot", embedder=OTHER_EMBEDDER)
    desk.made("snapshot")
    yield _row("the embedder is upgraded", str(refused), f"ops corpus pin {CORPUS}")


def _by_a_script(desk: Desk, advance: Advance) -> Iterator[dict[str, str]]:
    """By a provider that is a script, over real HTTP: it is upgraded under its pin, and is found out."""
    from ops_pipelines.testing.provider import provider_running

    with provider_running(_script()) as provider, desk.asking(provider, MODEL):
        advance("answers: another provider (scripted)", 1)
        made = desk.made(*PARTS, **_BY_SCRIPT)
        live = desk.live()
        yield _row(f"{SCRIPTED}: released", f"{desk.scores()}: {made}", f"ops releases {SYSTEM}")
        advance(f"answers: {QUIET_DAYS + 1} days of probes (scripted)", 1)
        with desk.days() as next_day:
            quiet = [_probed(desk, next_day) for _ in range(QUIET_DAYS)]
            provider.begin(_script(refuses_share=0.9))
            told = _probed(desk, next_day).said.get("answers_as_before", "passed")
        calm = sum("moved" not in one.said.get("answers_as_before", "") for one in quiet)
        yield _row(
            f"{SCRIPTED}: upgraded under its pin",
            f"quiet on {calm} of {len(quiet)} days, then: {told}",
            f"{SYSTEM}/probe",
        )
        told = _attributed(desk, live)
        yield _row(f"{SCRIPTED}: what lowered the score", told, f"ops eval attribute {SYSTEM} OLD NEW --again")
    yield _put_back(desk)


def _dear_prompt(desk: Desk) -> Made:
    """The prompt with a long preamble, refused for what it would cost, and put back as it was."""
    file = desk.folder / "evals" / "prompts" / SYSTEM / "prompt.yaml"
    text = file.read_text()
    dear = "Think twice, and be thorough. " * 900
    file.write_text(text.replace("      Answer in at most", f"      {dear}\n      Answer in at most"))
    made = desk.made("prompt", "candidate", most_tokens=20_000)
    file.write_text(text)
    desk.made("prompt", "candidate")
    return made


def _cut_document(desk: Desk) -> Iterator[dict[str, str]]:
    """A document goes, the golden set refuses its questions, and both go live; the release before reads it still."""
    before = desk.ask(ABOUT_CUT)
    desk.delete(CUT)
    made = desk.made("snapshot", *PARTS)
    after = desk.ask(ABOUT_CUT)
    yield _row(
        f"{CUT} is deleted",
        f"{made}; it was {_read(before)} before, and is {_read(after)} now: {after.text}",
        f"ops corpus diff {CORPUS}",
    )
    again = desk.ask(ABOUT_CUT, release=before.id.rpartition("/")[2])
    yield _row(
        "the release before is asked", f"its snapshot is as it was, and the document is {_read(again)}", "ops ask"
    )


def _put_back(desk: Desk) -> dict[str, str]:
    """The pointer back to the release by the reader, and the question asked once more."""
    desk.platform.roll_back(SYSTEM, None, actor="the demo", reason="its provider answers otherwise than it did")
    answer = desk.ask(QUESTION)
    said = f"{short(desk.live())} is live again, and {answer.provider}/{answer.model} answers"
    return _row("rolled back", said, f"ops releases {SYSTEM}")


def _probed(desk: Desk, next_day: Callable[[], None]) -> Made:
    """One more day of the demo's clock, and its probe."""
    next_day()
    return desk.made("probe", **_BY_SCRIPT)


def _attributed(desk: Desk, live: str) -> str:
    """The live release asked again, beside what it scored when it went live."""
    from ops_pipelines.core.verdict import reasons_of
    from ops_pipelines.llmops.attribution import attribute, judge_attribution

    recorded, now = desk.asked_golden(live), desk.asked_golden(live, again=True)
    found = attribute({frozenset(): now.means("says")}, now.clusters(), recorded=recorded.means("says"))
    return "; ".join(reasons_of(judge_attribution(found))) or "nobody is named"


def _script(**changed: Any) -> "ProviderScript":
    from ops_pipelines.testing.provider_script import ProviderScript, Stage

    return ProviderScript(stages=(Stage(answers_as=MODEL, **changed),))


def _read(answer: Any) -> str:
    return "read" if any(one.document == CUT for one in answer.passages) else "not read"


def _row(what: str, outcome: str, where: str) -> dict[str, str]:
    return {"what": what, "outcome": outcome, "where to look": where}
