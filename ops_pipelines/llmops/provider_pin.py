"""Which provider answers, and as which model: pinned, and compared with what each answer says of itself.

A name such as `gpt-4o` is an alias that its owner moves. The pin says what it stood for when it was evaluated
(`answers_as`); an answer of another model is refused, or kept and reported, by the pin's own policy.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ops_pipelines.core.errors import ConfigError, DataError, near_miss
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.chat_model import WRONG_MODEL, ChatError, Completion

REFUSE, REPORT = "refuse", "report"
"""What becomes of an answer by another model than the pinned one."""


@dataclass(frozen=True, slots=True)
class ProviderPin:
    """A provider and a model of it. ConfigError for an empty name or an unknown policy.

    `model` is what requests ask for. `answers_as` is the model that answers say they are of; without it, `model` itself.
    `fingerprint` is the provider's name for its configuration, compared where it is pinned. `moved` is REFUSE or REPORT.
    """

    provider: str
    model: str
    answers_as: str | None = None
    fingerprint: str | None = None
    moved: str = REFUSE

    def __post_init__(self) -> None:
        if not self.provider or not self.model:
            raise ConfigError(
                f"The provider pin {self.provider!r}, {self.model!r} names nobody",
                expected="a provider and a model",
                action="Name both, for instance provider: extractive and model: extractive-1",
            )
        if self.moved not in (REFUSE, REPORT):
            raise ConfigError(
                f"The provider pin of {self.model!r} has moved: {self.moved!r}",
                expected=f"{REFUSE} or {REPORT}",
                action=near_miss(self.moved, (REFUSE, REPORT)),
            )

    @property
    def id(self) -> str:
        """The digest of the whole pin."""
        return digest_json(self.to_json())

    @property
    def expected_model(self) -> str:
        """The model that an answer has to say it is of."""
        return self.answers_as or self.model

    def to_json(self) -> dict[str, Any]:
        """The pin as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "ProviderPin":
        """The pin that `to_json` wrote; DataError for anything else."""
        try:
            return cls(**record)
        except TypeError as error:
            raise DataError(
                f"A stored provider pin cannot be read: {dict(record)!r}",
                expected="a record written by ProviderPin.to_json",
                action="Build the release again",
            ) from error


def judge_answer(pin: ProviderPin, completion: Completion) -> Verdict:
    """Whether an answer came from what was pinned; NotEvaluated where it does not say of which model it is.

    >>> judge_answer(ProviderPin("openai", "m", fingerprint="fp_1"), Completion("x", "m", None, "stop", 1.0)).why
    'the answer carries no fingerprint, and fp_1 is pinned'
    """
    evidence = {"model": completion.model, "fingerprint": completion.fingerprint, "pinned": pin.to_json()}
    if not completion.model:
        return NotEvaluated("the answer does not say of which model it is", evidence)
    if completion.model != pin.expected_model:
        return Blocked((f"{pin.model!r} was answered by {completion.model!r}, not {pin.expected_model!r}",), evidence)
    if pin.fingerprint is None or completion.fingerprint == pin.fingerprint:
        return Passed(evidence)
    if completion.fingerprint is None:
        return NotEvaluated(f"the answer carries no fingerprint, and {pin.fingerprint} is pinned", evidence)
    said = f"{pin.model!r} answers with the fingerprint {completion.fingerprint}, not {pin.fingerprint}"
    return Blocked((said,), evidence)


def check_answer(pin: ProviderPin, completion: Completion) -> Completion:
    """The answer, where it came from what was pinned or the pin's policy is to report; else ChatError (wrong_model)."""
    found = judge_answer(pin, completion)
    if pin.moved == REPORT or isinstance(found, Passed):
        return completion
    said = found.reasons[0] if isinstance(found, Blocked) else found.why
    raise ChatError(
        f"The provider {pin.provider!r} moved under its pin: {said}",
        expected=f"an answer of the model {pin.expected_model!r}",
        action="Evaluate the new model and pin it (answers_as), or keep such answers with `moved: report`",
        kind=WRONG_MODEL,
        provider=pin.provider,
        model=completion.model,
        pinned=pin.expected_model,
        fingerprint=completion.fingerprint,
    )
