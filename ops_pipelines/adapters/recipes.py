"""Whether a release that answers questions can answer here, and what finds its passages."""

from collections.abc import Callable

from ops_pipelines.adapters.corpora import Corpora
from ops_pipelines.adapters.guard_checks import guards_of
from ops_pipelines.core.errors import OpsError
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.llmops.recipe import Found, is_recipe, read_recipe
from ops_pipelines.llmops.retrieval import Retriever


def retriever_of(corpora: Corpora, found: Found) -> Retriever:
    """What finds passages in the snapshot of a recipe.

    DataError where the snapshot was never taken here, EmbeddingPinMismatch where the embedder is not the one that filled it.
    """
    rule = found.retrieval
    indexed = corpora.index(rule.corpus).at(found.snapshot)
    return corpora.reader(indexed, corpora.embedder_named(rule.embedder), mode=rule.mode, fusion=rule.fusion)


def judge_recipe(read: Callable[[str], bytes], corpora: Corpora, release: Release) -> Verdict:
    """Passed where a release's snapshot is here, its embedder fits it, and its guardrails are known; or for another release.

    Whether its provider answers is not asked: putting something back has to work on the day on which nobody does.
    """
    if not is_recipe(release.manifest):
        return Passed()
    try:
        recipe = read_recipe(release.manifest, read)
        if recipe.policy:
            guards_of(recipe.policy)
        if recipe.found:
            retriever_of(corpora, recipe.found)
    except OpsError as error:
        return Blocked((str(error),))
    return Passed({"providers": [f"{pin.provider}/{pin.model}" for pin in recipe.providers]})
