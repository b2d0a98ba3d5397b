"""What the guardrails find and what they wrongly stop, in this project's own domain and in data that nobody here wrote.

Groundedness: BEGIN-wow beside plain token overlap, and single facts made wrong in its supported answers. Refusals: XSTest's
human labels beside the string match that XSTest publishes. Each check: the written cases of evals/guardrails/cases.jsonl, and
BIPIA, XSTest and BEGIN as far as they fit. Shares come with exact binomial intervals (Clopper and Pearson) of 95%.

BEGIN-wow is no clean holdout: that pairs of words no longer count and that a function word weighs half was decided with it in
view, and the rules for numbers, denials and a sentence's first word were written after its supported answers and the missed
false facts had been read. XSTest was measured and nothing was changed for it. The written cases are of two rounds, both by
those who wrote the checks. After each round the checks were mended, so that these rows are no longer of fresh cases:
docs/guardrails.md keeps what each round showed first.
"""

import csv
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.corrupted_answers import Corrupted, Supported, corrupt
from benchmarks.rows import Row, at_most, skipped
from ops_pipelines.core.verdict import Passed

CORRUPTIONS, SEED, AT_LEAST, AT_MOST = 200, 7, 0.8, 0.1
CASES = Path(__file__).parents[1] / "evals/guardrails/cases.jsonl"
FILES = {
    "begin": "dev_begin_wow.csv",
    "xstest": "dev_xstest_refusal.csv",
    "mails": "dev_bipia_email_train.jsonl",
    "attacks": "dev_bipia_text_attack_train.json",
}
_ADDRESS = re.compile(r"(?:https?:)?//|www\.", re.IGNORECASE)


def measure() -> Iterator[Row]:
    """Every row; takes some seconds."""
    yield from _in_domain()
    for file, rows in (("begin", _begin), ("xstest", _xstest), ("attacks", _bipia)):
        if all((data() / FILES[name]).is_file() for name in ((file, "mails") if file == "attacks" else (file,))):
            yield from rows()
        else:
            yield skipped(f"quality, {file}", f"{FILES[file]} is not in llm/ of OPS_BENCH_DATA or ../shared/data")


def data() -> Path:
    """Where the public files lie, or would."""
    return Path(os.environ.get("OPS_BENCH_DATA", Path(__file__).parents[2] / "shared" / "data")) / "llm"


def stops(check: str, case: Mapping[str, Any]) -> bool:
    """Whether a check does not let a case through; a case has what it needs of question, passages, answer, instructions."""
    from ops_pipelines.adapters.guard_checks import CHECKS
    from ops_pipelines.llmops.guardrail import Exchange
    from ops_pipelines.llmops.passages import Passage

    texts = case.get("passages", [case["passage"]] if "passage" in case else [])
    passages = tuple(Passage(f"{number}.md", "1", text) for number, text in enumerate(texts))
    asked, answer = case.get("question", ""), case.get("answer", "")
    exchange = Exchange(asked, passages, answer, case.get("instructions", ""))
    judged = answer or asked or texts[0]
    return not isinstance(CHECKS[check].judge(judged, exchange, CHECKS[check].with_defaults({})), Passed)


def shared(name: str, hits: int, of: int, *, note: str = "") -> Row:
    """A share that is only reported, with its interval."""
    low, high = interval(hits, of)
    told = f"{hits} of {of}, 95% {low:.2f} to {high:.2f}{'; ' if note else ''}{note}"
    return Row(name, hits / of, None, None, "reported", True, told)


def interval(hits: int, of: int) -> tuple[float, float]:
    """The exact binomial interval of 95%."""
    from scipy.stats import binomtest

    found = binomtest(hits, of).proportion_ci(0.95, "exact")
    return float(found.low), float(found.high)


def kappa(one: Sequence[bool], other: Sequence[bool]) -> float:
    """Cohen's agreement of two raters beyond chance.

    >>> kappa([True, True, False, False], [True, True, False, True])
    0.5
    """
    count = len(one)
    agreed = sum(a == b for a, b in zip(one, other, strict=True)) / count
    chance = (sum(one) * sum(other) + (count - sum(one)) * (count - sum(other))) / count**2
    return (agreed - chance) / (1 - chance)


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> float:
    """The chance that a true one scores above a false one, ties as a half.

    >>> auroc([0.9, 0.5, 0.5], [True, True, False])
    0.75
    """
    true, false = (
        [score for score, is_true in zip(scores, labels, strict=True) if is_true is side] for side in (True, False)
    )
    return sum((a > b) + (a == b) / 2 for a in true for b in false) / (len(true) * len(false))


def _in_domain() -> Iterator[Row]:
    cases = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    for check, number in dict.fromkeys((case["check"], case["round"]) for case in cases):
        those = [case for case in cases if (case["check"], case["round"]) == (check, number)]
        yield from _both_shares(f"guard, {check} in domain, round {number}", check, those)


def _both_shares(name: str, check: str, cases: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Recall over what should be stopped, and the share that is wrongly stopped of what should not."""
    for said, wanted in (("recall", True), ("false positives", False)):
        those = [case for case in cases if case["stop"] is wanted]
        if those:
            yield shared(f"{name}, {said}", sum(stops(check, case) for case in those), len(those))


def _begin() -> Iterator[Row]:
    from ops_pipelines.llmops.groundedness import groundedness

    read = _rows("begin")
    labels = [row["label"] == "1" for row in read]
    ours = auroc([groundedness(row["text"], [row["context"]]).score for row in read], labels)
    plain = auroc([_overlap(row["text"], row["context"]) for row in read], labels)
    peer = "the peer is the share of the answer's tokens that the context has"
    yield Row("groundedness, BEGIN-wow AUROC", ours, plain, ours / plain, "ours > peer", ours > plain, peer)
    supported = [Supported(row["text"], row["context"]) for row, is_true in zip(read, labels, strict=True) if is_true]
    yield from _corruptions(corrupt(supported, count=CORRUPTIONS, seed=SEED))
    cases = [
        {"answer": row["text"], "passage": row["context"], "stop": not is_true}
        for row, is_true in zip(read, labels, strict=True)
    ]
    yield from _both_shares("guard, grounded out of domain (BEGIN-wow)", "grounded", cases)


def _overlap(text: str, context: str) -> float:
    said, held = (re.findall(r"\w+", one.lower()) for one in (text, context))
    return sum(word in set(held) for word in said) / max(len(said), 1)


def _corruptions(made: Sequence[Corrupted]) -> Iterator[Row]:
    """How many corrupted answers are flagged, and how many of the same before they were."""
    after = [stops("grounded", {"answer": one.answer, "passage": one.before.passage}) for one in made]
    before = [stops("grounded", {"answer": one.before.answer, "passage": one.before.passage}) for one in made]
    kinds = dict.fromkeys(one.kind for one in made)
    each = {kind: [hit for one, hit in zip(made, after, strict=True) if one.kind == kind] for kind in kinds}
    note = ", ".join(f"{kind} {sum(hits)} of {len(hits)}" for kind, hits in each.items())
    share = sum(after) / len(made)
    yield Row(
        "groundedness, single-fact corruptions flagged",
        share,
        None,
        None,
        f"ours >= {AT_LEAST:g}",
        share >= AT_LEAST,
        note,
    )
    note = f"{sum(before)} of {len(made)} answers before they were corrupted"
    yield at_most("groundedness, false flags on the uncorrupted", sum(before) / len(made), AT_MOST, note=note)


def _xstest() -> Iterator[Row]:
    from ops_pipelines.llmops.refusal import is_refusal

    read = _rows("xstest")
    people = [not row["final_label"].startswith("1") for row in read]
    ours = kappa(people, [is_refusal(row["completion"]) for row in read])
    plain = kappa(people, [not row["strmatch_label"].startswith("1") for row in read])
    peer = "wholly or in part, against people; the peer is XSTest's own string match, as published with it"
    yield Row("refusal, XSTest kappa", ours, plain, ours / plain, "ours > peer", ours > plain, peer)
    cases = [{"answer": row["completion"], "stop": refused} for row, refused in zip(read, people, strict=True)]
    yield from _both_shares("guard, answered out of domain (XSTest)", "answered", cases)
    asked = [{"question": text, "stop": False} for text in dict.fromkeys(row["prompt"] for row in read)]
    for check in ("jailbreak", "personal_data", "secrets"):
        yield from _both_shares(f"guard, {check} out of domain (XSTest's questions)", check, asked)


def _bipia() -> Iterator[Row]:
    mails = [json.loads(line)["context"] for line in (data() / FILES["mails"]).read_text(encoding="utf-8").splitlines()]
    attacks = json.loads((data() / FILES["attacks"]).read_text(encoding="utf-8"))
    sent = [
        {"passage": f"{mails[number % len(mails)]}\n{attack}", "stop": True}
        for number, attack in enumerate(attack for of_kind in attacks.values() for attack in of_kind)
    ]
    clean = [{"passage": mail, "stop": False} for mail in mails]
    yield from _both_shares("guard, injection out of domain (BIPIA)", "injection", [*sent, *clean])
    for check in ("secrets", "personal_data"):
        hits = sum(stops(check, {"question": mail}) for mail in mails)
        yield shared(
            f"guard, {check} out of domain (BIPIA's mails), stopped", hits, len(mails), note="nobody labelled them"
        )
    linked = [mail for mail in mails if _ADDRESS.search(mail)]
    yield shared(
        "guard, exfiltration out of domain (BIPIA's mails, quoted), stopped",
        sum(stops("exfiltration", {"answer": mail, "passage": mail}) for mail in mails),
        len(mails),
        note=f"{len(linked)} hold an address",
    )


def _rows(name: str) -> list[dict[str, str]]:
    """The rows of a public file."""
    with (data() / FILES[name]).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
