"""A recipe between two others: some of its sources are new, all others old; what attribution has to ask.

Snapshot, embedder and pin are one source: a snapshot can only be searched by what filled it.
"""

from dataclasses import asdict, replace

from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.llmops.attribution_cells import (
    CORPUS,
    GUARDRAILS,
    MODEL,
    RETRIEVAL,
    Cell,
    differing_sources,
    mixed_prompt,
    prompt_parts,
)
from ops_pipelines.llmops.recipe import Found, Recipe


def changed_sources(old: Recipe, new: Recipe) -> tuple[str, ...]:
    """The sources of answers that differ, in the order in which they are told; budgets and prices are none."""
    return tuple(differing_sources(_identities(old), _identities(new)))


def mixed(old: Recipe, new: Recipe, cell: Cell) -> Recipe:
    """The recipe whose sources in `cell` are those of `new`; it asks nobody's budget."""

    def side(source: str) -> Recipe:
        return new if source in cell else old

    return Recipe(
        prompt=mixed_prompt(old.prompt, new.prompt, cell),
        providers=side(MODEL).providers,
        found=_found(side(CORPUS).found, side(RETRIEVAL).found),
        question=side(RETRIEVAL).question,
        policy=side(GUARDRAILS).policy,
        prices={**old.prices, **new.prices},
        uses=side(MODEL).uses,
    )


def _found(searched: Found | None, rule: Found | None) -> Found | None:
    """A snapshot searched by another's rule; where only one of the two looks anything up, the corpus decides."""
    if searched is None or rule is None:
        return searched
    taken = searched.retrieval
    return replace(searched, retrieval=replace(rule.retrieval, corpus=taken.corpus, embedder=taken.embedder))


def _identities(recipe: Recipe) -> dict[str, str]:
    """The digest of each source of a recipe."""
    prompt = prompt_parts(recipe.prompt)
    model = digest_json([prompt[MODEL], [pin.to_json() for pin in recipe.providers]])
    guarded = recipe.policy.digest if recipe.policy else ""
    return {**prompt, MODEL: model, GUARDRAILS: guarded, **_of_found(recipe)}


def _of_found(recipe: Recipe) -> dict[str, str]:
    if recipe.found is None:
        return {CORPUS: "", RETRIEVAL: recipe.question}
    found = recipe.found
    rule = {name: value for name, value in asdict(found.retrieval).items() if name not in ("corpus", "embedder")}
    searched = [found.retrieval.corpus, found.retrieval.embedder, found.snapshot, found.embedding_pin]
    return {CORPUS: digest_json(searched), RETRIEVAL: digest_json([rule, recipe.question])}
