"""A large installation, compiled, loaded and replaced: ``python -m bench.decide [--quick] [--json FILE] [--strict]``."""

from __future__ import annotations

import argparse
import gc
from pathlib import Path

from bench.decide.compiling import measure_building, measure_compiling
from bench.decide.deciding import measure_deciding
from bench.decide.swapping import measure_swapping
from bench.decide.world import make_world
from bench.report import Report
from fairlead_contract.snapshot import Credential, Credentials, Sealed, unseal
from fairlead_contract.steps import run_to_end
from fairlead_crds.compile import Resources
from fairlead_router.config.build import Reusable, build
from fairlead_router.config.table import Table

POLICIES, MODELS = 2000, 1000


def main() -> int:
    """Measure, print, and say with the exit status whether a goal was missed, if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the installation, the edits and the requests")
    parser.add_argument("--quick", action="store_true", help="fewer decisions, less traffic")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    given = parser.parse_args()

    report = Report(f"decide: {POLICIES:,} policies, {MODELS:,} models, seed {given.seed}")
    resources = make_world(policies=POLICIES, providers=MODELS // 2, models_per_provider=2, seed=given.seed)
    credentials = make_credentials(resources)
    first, edited = measure_compiling(report, resources, 30, given.seed)
    # What follows plays a router, which has neither the compiler nor its objects in its memory.
    del resources
    gc.collect()
    gc.freeze()
    measure_building(report, first, edited[0], credentials)
    snapshots = [first.snapshot, *edited]
    measure_deciding(report, make_table(first.snapshot, credentials), 100_000 if given.quick else 200_000, given.seed)
    measure_swapping(report, snapshots, credentials, 10.0 if given.quick else 48.0, given.seed)
    return report.publish(given.json, strict=given.strict)


def make_credentials(resources: Resources) -> Credentials:
    """A value for every key of every Secret."""
    return Credentials(
        tuple(
            Credential(secret.namespace, secret.name, key, version, "sk-" + version)
            for secret in resources.secrets
            for key, version in secret.keys.items()
        )
    )


def make_table(sealed: Sealed, credentials: Credentials) -> Table:
    """The table of a snapshot, built without a loop."""
    table, _ = run_to_end(build(sealed.manifest, unseal(sealed), credentials, Reusable()))
    gc.freeze()  # as the receiver does
    return table


if __name__ == "__main__":
    raise SystemExit(main())
