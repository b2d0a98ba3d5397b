"""The judging of agents' runs: whether it agrees with who knew, and whether it names the step that went wrong.

tau-bench: the desk compares its data with what it should be, and now and then what was said. Ours judges the recorded calls
by the desk's list of actions; the peer asks for that very list, one for one and in order. Success that needs words is
counted too, though no call shows them: those runs are ours to lose.

Seeded missteps: one in each run that went well, of a known kind and place, after its reads were put into another order. It
is named where the step has its kind and, where it is decisive, is the first decisive one. The seeds are ours, and so is what
they leave out.

Who&When: conversations of agents whose mistake lies in what they wrote, with no list of what was needed. Of such runs the
judging can say nothing; the row is that it blames no call either. How many of the mistakes are calls at all is in its note.
"""

import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.rows import Row, at_most, skipped
from benchmarks.seeded_missteps import Seeded, needed_of, seeded, shuffled_reads
from benchmarks.tau_tasks import ACTS, DeskRun, desk_runs
from benchmarks.tool_calls import data
from ops_pipelines.agentops.evaluation.judging import judge_task
from ops_pipelines.agentops.evaluation.task import Expected, Task
from ops_pipelines.agentops.evaluation.task_verdict import TaskVerdict
from ops_pipelines.testing.task_runs import Did, recorded

SEEDS, QUICK_SEEDS = 10, 1
LEAST_KAPPA, LEAST_AUROC, LEAST_NAMED = 0.85, 0.95, 0.95
TERMINAL, RUN_CODE = "Computer_terminal", "run_code"
_ABSENT = "the files are not in agents/ of OPS_BENCH_DATA or ../shared/data"


def measure() -> Iterator[Row]:
    """Agreement with tau-bench, seeded missteps, and Who&When."""
    yield from _measured(SEEDS)


def measure_quick() -> Iterator[Row]:
    """The same with fewer seeds."""
    yield from _measured(QUICK_SEEDS)


def _measured(seeds: int) -> Iterator[Row]:
    if (data() / "tau_airline_dev.jsonl").exists():
        runs = list(desk_runs())
        yield from _agreement(runs)
        yield from _named([run for run in runs if run.succeeded], seeds)
    else:
        yield skipped("tau-bench, success by calls", _ABSENT)
    if (data() / "whowhen_algorithm_generated.jsonl").exists():
        yield _unblamed()
    else:
        yield skipped("Who&When, runs blamed on a call", _ABSENT)


def _agreement(runs: Sequence[DeskRun]) -> Iterator[Row]:
    truth = [run.succeeded for run in runs]
    ours = [judged(run.task, run.calls).success is True for run in runs]
    peer = [run.repeats_the_list for run in runs]
    differ = [run for run, told in zip(runs, ours, strict=True) if told != run.succeeded]
    words = sum(run.asks_words for run in differ)
    note = f"{len(runs)} runs; ours differs in {len(differ)}, of which {words} lacked words to the customer"
    for name, by, least in (("Cohen's kappa", kappa, LEAST_KAPPA), ("AUROC", auroc, LEAST_AUROC)):
        mine, theirs = by(ours, truth), by(peer, truth)
        bound = f"ours >= {least:g}, and > peer"
        holds = mine >= least and mine > theirs
        yield Row(
            f"tau-bench, success by calls against its reward, {name}", mine, theirs, mine / theirs, bound, holds, note
        )


def _named(runs: Sequence[DeskRun], seeds: int) -> Iterator[Row]:
    found, missed, blamed, clean = Counter[str](), Counter[str](), 0, 0
    for number, run in enumerate(runs):
        task, calls = needed_of(run.task.id, run.calls, ACTS)
        for seed in range(seeds):
            draw = random.Random(f"{number}/{seed}")
            reordered = shuffled_reads(calls, ACTS, draw)
            clean += 1
            blamed += not judged(task, reordered).success
            for one in seeded(reordered, ACTS, draw):
                (found if is_named(one, judged(task, one.calls)) else missed)[one.kind] += 1
    shares = {kind: found[kind] / (found[kind] + missed[kind]) for kind in sorted({*found, *missed})}
    note = ", ".join(f"{kind} {share:.3f} of {found[kind] + missed[kind]}" for kind, share in shares.items())
    least = min(shares.values(), default=0.0)
    bound = f"ours >= {LEAST_NAMED:g} of each kind"
    yield Row(
        "seeded missteps named by kind and step, worst share", least, None, None, bound, least >= LEAST_NAMED, note
    )
    yield at_most("runs blamed for the order of their reads, runs", blamed, 0, note=f"of {clean}")


def is_named(one: Seeded, verdict: TaskVerdict) -> bool:
    """Whether a verdict says of the seeded step what it is, and of the run whether it came to success."""
    step = verdict.steps[one.at]
    if step.kind != one.kind or verdict.success is one.decisive:
        return False
    return verdict.decisive is step if one.decisive else verdict.decisive is None


def judged(task: Task, calls: Sequence[Did]) -> TaskVerdict:
    """The verdict on some calls, recorded as a run."""
    return judge_task(task, recorded(*calls), acts=ACTS)


def kappa(told: Sequence[bool], truth: Sequence[bool]) -> float:
    """Cohen's agreement beyond chance; 0 where chance alone agrees in all."""
    agree = sum(map(bool.__eq__, told, truth)) / len(truth)
    yes, right = sum(told) / len(told), sum(truth) / len(truth)
    chance = yes * right + (1 - yes) * (1 - right)
    return (agree - chance) / (1 - chance) if chance < 1 else 0.0


def auroc(told: Sequence[bool], truth: Sequence[bool]) -> float:
    """How often a success is told above a failure, ties counted half."""
    good = [float(one) for one, right in zip(told, truth, strict=True) if right]
    bad = [float(one) for one, right in zip(told, truth, strict=True) if not right]
    wins = sum((one > other) + (one == other) / 2 for one in good for other in bad)
    return wins / (len(good) * len(bad))


def _unblamed() -> Row:
    records = [json.loads(line) for line in (data() / "whowhen_algorithm_generated.jsonl").read_text().splitlines()]
    verdicts = [judge_task(_told(record), recorded(*_code_runs(record["history"])), acts=ACTS) for record in records]
    blamed = sum(verdict.decisive is not None for verdict in verdicts)
    at_calls = sum(_is_call(record) for record in records)
    again = sum(any(step.is_misstep for step in verdict.steps) for verdict in verdicts)
    note = (
        f"of {len(records)}; {at_calls} of the labelled mistakes are calls, the others are words, of which no call tells; "
        f"repeated errors are seen in {again} runs"
    )
    return at_most("Who&When, runs blamed on a call without an expectation, runs", blamed, 0, note=note)


def _told(record: dict[str, Any]) -> Task:
    return Task(record["question_ID"], record["question"], Expected(outcome=record["ground_truth"]))


def _is_call(record: dict[str, Any]) -> bool:
    at, history = int(record["mistake_step"]), record["history"]
    return at < len(history) and history[at].get("name") == TERMINAL


def _code_runs(history: Sequence[dict[str, Any]]) -> Iterator[Did]:
    """What the terminal ran: the words before it, and what it printed."""
    for before, message in itertools.pairwise(history):
        if message.get("name") == TERMINAL:
            text = str(message["content"])
            failed = not text.startswith("exitcode: 0")
            yield Did(RUN_CODE, {"code": before["content"]}, None if failed else text, error=text if failed else "")
