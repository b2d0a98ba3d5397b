"""Which sources of a release differ from another's, and the mixtures of old and new that tell what each of them did.

A source is what somebody changes in one go: the prompt's text, its parameters, the model that is pinned, the corpus, how it
is searched, the guardrails. A source that did not change needs no mixture, so that two changes take four runs and not 64.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations

from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.llmops.prompt import Prompt

PROMPT, PARAMETERS, MODEL, CORPUS = "prompt", "parameters", "model", "corpus"
RETRIEVAL, GUARDRAILS = "retrieval", "guardrails"
SOURCES = (PROMPT, PARAMETERS, MODEL, CORPUS, RETRIEVAL, GUARDRAILS)
"""What changes in one go, in the order in which it is told."""
SOURCE_OF: Mapping[str, str] = {
    **{source: source for source in SOURCES},
    **dict.fromkeys(("messages", "template", "variables", "response_schema"), PROMPT),
    **dict.fromkeys(("provider", "provider_pin"), MODEL),
    **dict.fromkeys(("embedding_pin", "embedder", "chunker", "retriever"), RETRIEVAL),
    "policy": GUARDRAILS,
}
"""The source of a part of a release's behaviour; a part that is not named here is a source of its own."""
Cell = frozenset[str]
"""The sources that are new in a mixture; all others are old."""


def differing_sources(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The sources of which some part has another digest, or is on one side only, each with those parts.

    >>> differing_sources({"prompt": "1", "corpus": "a"}, {"prompt": "2", "corpus": "a"})
    {'prompt': ('prompt',)}
    """
    found: dict[str, list[str]] = {}
    for part in sorted(old.keys() | new.keys()):
        if old.get(part) != new.get(part):
            found.setdefault(SOURCE_OF.get(part, part), []).append(part)
    return {source: tuple(found[source]) for source in _in_order(found)}


def cells_of(sources: Iterable[str]) -> tuple[Cell, ...]:
    """Every mixture of these sources, the old release first and the new one last.

    >>> [sorted(cell) for cell in cells_of(["prompt", "corpus"])]
    [[], ['prompt'], ['corpus'], ['corpus', 'prompt']]
    """
    each = _in_order(sources)
    return tuple(frozenset(cell) for size in range(len(each) + 1) for cell in combinations(each, size))


def mixture(old: Mapping[str, str], new: Mapping[str, str], cell: Cell) -> dict[str, str]:
    """The behaviour of a mixture: the parts of its sources from the new release, and all others from the old one."""
    parts = sorted(old.keys() | new.keys())
    side = {part: new if SOURCE_OF.get(part, part) in cell else old for part in parts}
    return {part: side[part][part] for part in parts if part in side[part]}


def name_of_cell(cell: Cell) -> str:
    """How a mixture is named in reasons.

    >>> name_of_cell(frozenset({"prompt", "corpus"})), name_of_cell(frozenset())
    ('new prompt and corpus', 'all old')
    """
    return f"new {' and '.join(_in_order(cell))}" if cell else "all old"


def prompt_parts(prompt: Prompt) -> dict[str, str]:
    """A prompt's identity by source, for a behaviour in which its text, its parameters and its model are told apart."""
    return {
        PROMPT: digest_json({**prompt.to_json(), "provider": "", "model": "", "parameters": {}}),
        PARAMETERS: digest_json(prompt.parameters),
        MODEL: digest_json([prompt.provider, prompt.model]),
    }


def mixed_prompt(old: Prompt, new: Prompt, cell: Cell) -> Prompt:
    """The prompt of a mixture, which can be asked."""
    text, parameters, model = (new if source in cell else old for source in (PROMPT, PARAMETERS, MODEL))
    return replace(text, parameters=parameters.parameters, provider=model.provider, model=model.model)


def _in_order(sources: Iterable[str]) -> list[str]:
    """Known sources in their order, and then the others by name."""
    return sorted(set(sources), key=lambda one: (SOURCES.index(one) if one in SOURCES else len(SOURCES), one))
