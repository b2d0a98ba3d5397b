"""D6: the drift alarm that is on every week, with 8 rows as with 5 million, although nothing happened.

A test at p < .05 asks whether two samples differ at all. With millions of rows a shift of a hundredth of a standard
deviation is beyond chance and beyond anybody's interest; with many columns and few rows something is always below .05.
Our decision needs an effect, a test adjusted for the columns, and enough rows.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.apps.drills.drill import Drill, Outcome

if TYPE_CHECKING:
    import numpy as np

    from ops_pipelines.core.verdict import Verdict
    from ops_pipelines.mlops.drift import ColumnProfile

FEW, LEAST, MANY = 8, 500, 5_000_000
SHIFT = 0.01
"""By so many standard deviations the 5 million rows are moved: nothing that a model could feel."""
COLUMNS, WEEKS = 10, 12
SEEDS = 200
TARGET = 0.05
"""The share of quiet weeks that may be flagged: the rule's confidence is 95%."""


def unguarded(folder: Path) -> Outcome:
    """A Kolmogorov-Smirnov test of each column at p < .05: on every week of few rows by chance, and on millions always."""
    import numpy as np
    from scipy.stats import kstest, norm

    del folder  # nothing is written
    draw = np.random.default_rng(0)
    few = np.mean([_any_below(draw.normal(size=(COLUMNS, FEW))) for _ in range(SEEDS)])
    many = float(kstest(draw.normal(SHIFT, 1, MANY), norm.cdf).pvalue)
    return Outcome(
        harmed=few > 2 * TARGET and many < TARGET,
        caught=False,
        reason=f"{few:.0%} of quiet reports of {FEW} rows raise an alarm, and 5 million rows one at {SHIFT} sd",
        evidence={"false_alarms_of_8_rows": float(few), "p_value_of_5_million_rows": many},
    )


def guarded(folder: Path) -> Outcome:
    """The same three cases by this project's decision: too few to judge, too little to mind, and seldom by chance."""
    from ops_pipelines.core.verdict import NotEvaluated, Passed, reasons_of

    del folder
    few, many = judged(FEW, seed=1), judged(MANY, shift=SHIFT, seed=2, columns=1)
    alarms = false_alarms(SEEDS)
    flagged = judged(LEAST, shift=1.0, seed=3)
    return Outcome(
        harmed=not isinstance(many, Passed) or alarms > TARGET,
        caught=isinstance(few, NotEvaluated) and isinstance(many, Passed) and bool(reasons_of(flagged)),
        reason="; ".join(reasons_of(few)),
        evidence={"false_alarms": alarms, "seeds": SEEDS, "a_real_shift": list(reasons_of(flagged))[:1]},
    )


DRILL = Drill(
    number="D6",
    name="drift noise",
    incident="drift alarms on 8 rows and on 5 million, where nothing moved that matters",
    source="evidently#50, evidently#509",
    names=f"{FEW} rows, and 500 are needed",
    unguarded=unguarded,
    guarded=guarded,
)


def false_alarms(seeds: int) -> float:
    """The share of quiet weeks, as short as are judged at all, that raise an alarm; new training weeks for each seed."""
    from ops_pipelines.core.verdict import Blocked

    return sum(isinstance(judged(LEAST, seed=seed), Blocked) for seed in range(100, 100 + seeds)) / seeds


def judged(rows: int, *, shift: float = 0.0, seed: int, columns: int = COLUMNS) -> "Verdict":
    """The finding about a week of so many rows, each column moved by `shift` standard deviations.

    How many rows fall into each bin is one multinomial draw with the normal distribution's own shares, and one number
    within the bin stands for each of them: a histogram is all that the decision sees.
    """
    import numpy as np
    import pandas as pd

    from ops_pipelines.mlops.drift import FEATURE, DriftRule, judge_drift, measure_drift

    draw = np.random.default_rng(seed)
    profiles = [_profile(f"column_{number}", draw) for number in range(columns)]
    weeks: dict[str, pd.Series[float]] = {}
    for profile in profiles:
        edges = np.asarray(profile.edges)
        counts = draw.multinomial(rows, _shares(edges, shift))
        inside = np.concatenate([edges[:1] - 1, (edges[:-1] + edges[1:]) / 2, edges[-1:] + 1])
        weeks[profile.name] = pd.Series(np.repeat(inside, counts))
    rule = DriftRule()
    return judge_drift(measure_drift(profiles, weeks, rule), FEATURE, rule)


def _profile(name: str, draw: "np.random.Generator") -> "ColumnProfile":
    """A column of standard normal numbers over the training weeks."""
    import numpy as np
    import pandas as pd

    from ops_pipelines.mlops.drift import FEATURE, profile_column

    values = pd.Series(draw.normal(size=WEEKS * LEAST))
    return profile_column(name, FEATURE, values, np.repeat(np.arange(WEEKS), LEAST))


def _shares(edges: "np.ndarray", shift: float) -> "np.ndarray":
    """The share of a normal distribution of that mean in each of the bins between the edges, and beyond them."""
    import numpy as np
    from scipy.special import ndtr

    shares: np.ndarray = np.diff(np.concatenate([[0.0], ndtr(edges - shift), [1.0]]))
    return shares


def _any_below(columns: "np.ndarray") -> bool:
    """Whether any of the columns is told from a standard normal at p < .05."""
    from scipy.stats import kstest

    return min(kstest(column, "norm").pvalue for column in columns) < TARGET
