"""Everything that decides how a system answers questions, as one value: the behaviour of its release.

Prompt, provider, fallback, corpus, embedder, retrieval, guardrails, budgets and prices are each a part with a digest of its
own. The same parts make the same release, and two releases differ by the names of the parts that differ.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes
from ops_pipelines.core.release import Manifest
from ops_pipelines.llmops.budget import Budget
from ops_pipelines.llmops.cost import DeclaredPrices, Price
from ops_pipelines.llmops.guards.policy import Policy
from ops_pipelines.llmops.prompt import Prompt
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.llmops.retrieval import HYBRID, MODES, Fusion

PROMPT, PROVIDER, FALLBACK, CORPUS, EMBEDDING_PIN = "prompt", "provider", "fallback", "corpus", "embedding_pin"
RETRIEVAL, GUARDRAILS, BUDGETS, PRICES = "retrieval", "guardrails", "budgets", "prices"
REQUIRED = frozenset({PROMPT, PROVIDER})
"""The parts that every system which answers questions has."""


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How passages are found: in which corpus, by what, and how many. `passages` is the prompt's variable for them.

    `embedder` is the name that the corpus declares it by; whether it is the one that filled the index, its pin says.
    """

    corpus: str
    embedder: str
    mode: str = HYBRID
    k: int = 5
    fusion: Fusion = field(default_factory=Fusion)
    passages: str = "passages"

    def __post_init__(self) -> None:
        check_settings(
            self,
            "answers",
            mode=(self.mode in MODES, f"one of {', '.join(MODES)}"),
            k=(1 <= self.k <= 100, "from 1 to 100"),
        )


@dataclass(frozen=True, slots=True)
class Found:
    """Where passages are found: the rule, the snapshot that is read, and the pin of what embedded it, both by digest."""

    retrieval: Retrieval
    snapshot: str
    embedding_pin: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a system answers. `question` is the prompt's variable for it; without `found` nothing is looked up.

    `providers` are the pinned one, and after it those that stand in for it. `prices` are declared ones, by provider and
    model, for what no price list knows. `uses` pins the releases by which a provider answers, where it is one of ours.
    """

    prompt: Prompt
    providers: tuple[ProviderPin, ...]
    found: Found | None = None
    question: str = "question"
    policy: Policy | None = None
    budgets: tuple[Budget, ...] = ()
    prices: Mapping[tuple[str, str], Price] = field(default_factory=dict)
    uses: Mapping[str, str] = field(default_factory=dict)

    def contents(self) -> dict[str, bytes]:
        """The bytes of each part that is not kept already, by name; those of a snapshot and its pin are kept with it."""
        first, *others = (pin.to_json() for pin in self.providers)
        parts: dict[str, Any] = {PROMPT: self.prompt.to_json(), PROVIDER: first}
        parts[RETRIEVAL] = {"question": self.question, **(asdict(self.found.retrieval) if self.found else {})}
        written = {
            FALLBACK: others,
            GUARDRAILS: self.policy.to_json() if self.policy else None,
            BUDGETS: [budget.to_json() for budget in self.budgets],
            PRICES: [[*who, f"{price.input:f}", f"{price.output:f}"] for who, price in sorted(self.prices.items())],
        }
        parts |= {name: content for name, content in written.items() if content}
        return {name: canonical_json(content) for name, content in parts.items()}

    def manifest(self, system: str) -> Manifest:
        """What a release of this recipe is."""
        behaviour = {name: digest_bytes(content) for name, content in self.contents().items()}
        if self.found:
            behaviour |= {CORPUS: self.found.snapshot, EMBEDDING_PIN: self.found.embedding_pin}
        return Manifest(system, behaviour, dict(self.uses))

    def declared_prices(self) -> DeclaredPrices:
        """The declared prices as a price list."""
        return DeclaredPrices(self.prices)


def is_recipe(manifest: Manifest) -> bool:
    """Whether a manifest is of a system that answers questions."""
    return manifest.behaviour.keys() >= REQUIRED


def read_recipe(manifest: Manifest, read: Callable[[str], bytes]) -> Recipe:
    """The recipe of a manifest, whose parts `read` finds by digest; what it raises goes on."""
    behaviour = manifest.behaviour

    def part(name: str, absent: Any) -> Any:
        return json.loads(read(behaviour[name])) if name in behaviour else absent

    retrieval = part(RETRIEVAL, {})
    policy = part(GUARDRAILS, None)
    return Recipe(
        prompt=Prompt.from_json(manifest.system, part(PROMPT, None)),
        providers=tuple(ProviderPin.from_json(pin) for pin in [part(PROVIDER, None), *part(FALLBACK, [])]),
        found=_found(behaviour, retrieval) if CORPUS in behaviour else None,
        question=retrieval.get("question", "question"),
        policy=Policy.from_json(policy) if policy else None,
        budgets=tuple(map(Budget.from_json, part(BUDGETS, []))),
        prices=_prices(part(PRICES, [])),
        uses=dict(manifest.uses),
    )


def _found(behaviour: Mapping[str, str], record: Mapping[str, Any]) -> Found:
    settings = {name: value for name, value in record.items() if name != "question"}
    retrieval = Retrieval(**{**settings, "fusion": Fusion(**settings["fusion"])})
    return Found(retrieval, behaviour[CORPUS], behaviour[EMBEDDING_PIN])


def _prices(records: Sequence[Sequence[str]]) -> dict[tuple[str, str], Price]:
    return {
        (provider, model): Price(Decimal(incoming), Decimal(outgoing))
        for provider, model, incoming, outgoing in records
    }
