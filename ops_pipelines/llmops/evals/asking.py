"""One case of a run on its way: looked up, asked, scored, kept."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ops_pipelines.core.errors import OpsError
from ops_pipelines.llmops.answering import Answer, Answerer, Prepared
from ops_pipelines.llmops.evals.cache import EvalCache, answer_key, score_key
from ops_pipelines.llmops.evals.case import Case
from ops_pipelines.llmops.evals.result import Scored
from ops_pipelines.llmops.evals.scorer import Judged, Rule, Score, Scorer

_LONGEST_ERROR = 500


@dataclass(slots=True)
class Asking:
    """A case with what is known of its answer so far. `scores` has None for a scorer that asks nothing of it."""

    case: Case
    repeat: int
    prepared: Prepared | None = None
    key: str = ""
    answer: Answer | None = None
    error: str = ""
    is_cached: bool = False
    scores: dict[str, Score | None] = field(default_factory=dict)

    @property
    def judged(self) -> Judged | None:
        """What scorers look at; None where there is no answer."""
        return Judged(self.case, self.prepared, self.answer) if self.prepared and self.answer else None

    def records(self, versions: Mapping[str, Scorer]) -> dict[str, str]:
        """The scores that last, as the cache keeps them."""
        lasting = {name: score for name, score in self.scores.items() if score is None or score.lasting}
        return {score_key(self.key, versions[name]): _record(score) for name, score in lasting.items()}

    def scored(self, names: Iterable[str]) -> Scored:
        """The value that the run is made of."""
        found = {name: self.scores.get(name, Score(None, self.error or "was not scored")) for name in names}
        asked = {name: score for name, score in found.items() if score is not None}
        return Scored(
            case=self.case.id,
            cluster=self.case.independent,
            kind=self.case.kind,
            repeat=self.repeat,
            scores={name: score.value for name, score in asked.items()},
            why={name: score.why for name, score in asked.items() if score.why},
            answer=self.answer,
            error=self.error,
            question=self.case.question,
        )


def look_up(chunk: Sequence[Asking], answerer: Answerer, scorers: Sequence[Scorer], cache: EvalCache) -> None:
    """Prepares some cases, and takes from the cache what is there. What cannot be prepared has its error."""
    prepared: dict[str, Prepared | str] = {}
    for one in chunk:
        found = prepared.get(one.case.id) or _prepared(one.case, answerer)
        prepared[one.case.id] = found
        if isinstance(found, str):
            one.error = found
        else:
            one.prepared, one.key = found, answer_key(found, one.case, one.repeat)
    keys = {one.key: [score_key(one.key, scorer) for scorer in scorers] for one in chunk if one.key}
    kept = cache.get_many([*keys, *(key for scores in keys.values() for key in scores)])
    for one in chunk:
        if one.key in kept:
            one.answer, one.is_cached = Answer.from_json(json.loads(kept[one.key])), True
            pairs = zip(scorers, keys[one.key], strict=True)
            one.scores = {scorer.name: _score(kept[key]) for scorer, key in pairs if key in kept}


def keep_answers(chunk: Sequence[Asking], cache: EvalCache) -> None:
    """Keeps the answers that are new."""
    new = {one.key: json.dumps(one.answer.to_json()) for one in chunk if one.answer and not one.is_cached}
    if new:
        cache.put_many(new)


def score_by_rules(chunk: Sequence[Asking], rules: Collection[Rule]) -> None:
    """Scores the answers that are there by each rule that has not scored them; a rule that fails could not tell."""
    for one in chunk:
        judged = one.judged
        for rule in rules:
            if judged and rule.name not in one.scores:
                try:
                    one.scores[rule.name] = rule.judge(judged)
                except Exception as error:  # a scorer's own fault is no failure of the answer, and no pass either
                    one.scores[rule.name] = failed(error)


def failed(error: Exception) -> Score:
    """The score of a scorer that raised: it could not tell, and is asked again."""
    return Score(None, f"the scorer failed: {said_by(error)}", lasting=False)


def said_by(error: Exception) -> str:
    """What an error says in a line; the kind of one that is not ours goes first."""
    text = str(error) if isinstance(error, OpsError) else f"{type(error).__name__}: {error}"
    return text[:_LONGEST_ERROR]


def _prepared(case: Case, answerer: Answerer) -> Prepared | str:
    try:
        return answerer.prepare(case.question, also=case.also)
    except Exception as error:  # whatever one question breaks, the others are asked
        return said_by(error) or "it could not be prepared"


def _record(score: Score | None) -> str:
    return json.dumps(score.to_json() if score else None)


def _score(record: str) -> Score | None:
    found = json.loads(record)
    return Score(*found) if found else None
