"""The only eager condition of the house."""

import dagster as dg

A = dg.AutomationCondition


def gated_eager() -> dg.AutomationCondition:
    """Fires a partition when an input was updated, and never while any input that it maps to has a failed gate.

    Dagster's own `all_deps_blocking_checks_passed` lets a partition pass as soon as *any* mapped partition of an input
    did; this asks that none failed, windows and other locations included. Its eager condition looks at the latest week
    only, and a replayed year has none that is latest, so that part is left out. Without
    `~will_be_requested` a week that is about to be judged again would be held back by its old verdict for ever.
    """
    refused = A.any_checks_match(~A.check_passed() & ~A.will_be_requested(), blocking_only=True)
    return (A.eager().without(A.in_latest_time_window()) & ~A.any_deps_match(refused)).with_label("gated_eager")
