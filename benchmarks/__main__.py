"""`python -m benchmarks NAME [--quick] [--json]`: exit 0 where all claims hold, 1 where one fails, 3 could not tell."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module

from benchmarks.processes import PeerError
from benchmarks.rows import Measure, Row, exit_code, skipped, table
from ops_pipelines.testing.servers import ServerError

REGISTRY = {
    "mlops": ("join", "screen", "lifecycle"),
    "drift": ("drift_decisions",),
    "rules": ("retraining_rules",),
    "lineage": ("lineage",),
    "serving": ("serving",),
    "llmops": ("corpus", "evaluations", "llmops_statistics", "llmops_quality"),
    "agentops": (
        "agentops_gate",
        "agentops_injections",
        "agentops_log",
        "agentops_mlflow",
        "agentops_mcp",
        "agentops_evaluation",
    ),
}
"""The benchmarks of each name: modules of this package with `measure`, and `measure_quick` where less can be asked."""

Found = Mapping[str, Sequence[tuple[str, Measure]]]
"""What can be measured under each name, each part with its own name."""


def main(words: Sequence[str] | None = None, *, found: Found | None = None) -> int:
    """Measures what is asked for, prints it, and returns the exit code; argparse exits with 2 for a wrong word."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="One row a claim, measured now.")
    parser.add_argument("name", choices=sorted(REGISTRY))
    parser.add_argument("--json", action="store_true", help="one JSON list of rows")
    parser.add_argument("--quick", action="store_true", help="smaller data: shows that it works, not what holds")
    asked = parser.parse_args(words)
    parts = found[asked.name] if found else [(part, _lazily(part, quick=asked.quick)) for part in REGISTRY[asked.name]]
    rows = [row for part, measure in parts for row in _told(part, measure)]
    shown = json.dumps([row.to_json() for row in rows], indent=1) if asked.json else table(rows)
    sys.stdout.write(f"{shown}\n")
    return exit_code(rows)


def _lazily(part: str, *, quick: bool) -> Measure:
    """The function that measures a part; the part is imported when it is its turn."""

    def measure() -> Iterator[Row]:
        module = import_module(f"benchmarks.{part}")
        yield from getattr(module, "measure_quick", module.measure)() if quick else module.measure()

    return measure


def _told(part: str, measure: Measure) -> Iterator[Row]:
    """The rows of a part, and one skipped row where it cannot go on: a peer, or the part itself, is not here or fails."""
    try:
        for row in measure():
            sys.stderr.write(f"{part}: {row.name}\n")
            yield row
    except ModuleNotFoundError as absent:
        yield skipped(part, f"{absent.name} is not installed")
    except (PeerError, ServerError) as error:
        yield skipped(part, str(error).splitlines()[-1].strip())


if __name__ == "__main__":
    sys.exit(main())
