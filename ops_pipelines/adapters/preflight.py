"""What has to hold here before a release goes live or comes back, with every release that it uses."""

from functools import partial

from ops_pipelines.adapters.agent_code import judge_agent
from ops_pipelines.adapters.corpora import Corpora
from ops_pipelines.adapters.objects import ObjectStore
from ops_pipelines.adapters.predictor import judge_features, judge_promotion, judge_return
from ops_pipelines.adapters.recipes import judge_recipe
from ops_pipelines.core.composite import Find, Fits, Live, Resolves, judge_composition
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import Passed, Verdict


def judge_going_live(
    objects: ObjectStore, corpora: Corpora, release: Release, *, lock: bytes, find: Find, resolves: Resolves, live: Live
) -> Verdict:
    """Passed where a release, and each that it uses, answers here as when it was gated, and all of it fits together.

    `live` tells what is live in the environment that it goes into.
    """
    own = judge_promotion(objects, release, lock)
    if not isinstance(own, Passed):
        return own
    answers = partial(_of_used, release, lambda used: judge_promotion(objects, used, lock))
    fits = {
        "features": partial(judge_features, objects),
        "answers": answers,
        "recipe": partial(judge_recipe, objects.get, corpora),
        "agent": partial(judge_agent, objects.get),
    }
    composed = judge_composition(release, find=find, resolves=resolves, live=live, fits=fits)
    return Passed({**own.evidence, **composed.evidence}) if isinstance(composed, Passed) else composed


def judge_coming_back(
    objects: ObjectStore, corpora: Corpora, release: Release, *, find: Find, resolves: Resolves
) -> Verdict:
    """Passed unless a release, or one that it uses, is lost or answers otherwise than when it was gated.

    What it operates is not looked at: putting something back has to work on the day on which everything else does not.
    """
    fits = {
        "answers": partial(judge_return, objects),
        "recipe": partial(judge_recipe, objects.get, corpora),
        "agent": partial(judge_agent, objects.get),
    }
    return judge_composition(release, find=find, resolves=resolves, fits=fits)


def _of_used(whole: Release, judge: Fits, release: Release) -> Verdict:
    """What is said of a release that another one uses; Passed for that other one, which is judged by itself."""
    return Passed() if release.digest == whole.digest else judge(release)
