"""How long the compiler takes: from nothing, and after one edit."""

from __future__ import annotations

import gc
import random
from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

from bench.report import Report, percentile
from fairlead_contract.snapshot import Sealed, unseal
from fairlead_contract.steps import run_to_end
from fairlead_crds.compile import Compilation, Resources, Settings, compile_resources
from fairlead_router.config.build import Reusable, build

COLD_GOAL_SECONDS, EDIT_GOAL_SECONDS, SIZE_GOAL_KIB = 2.0, 0.1, 700.0


class Editor:
    """Makes one edit after another, each of an object drawn at random, as people do."""

    def __init__(self, resources: Resources, seed: int) -> None:
        self.resources = resources
        self._draw = random.Random(seed)

    def edit(self) -> Resources:
        """Change one object's spec and raise its generation."""
        objects = list(self.resources.objects)
        place = self._draw.randrange(len(objects))
        objects[place] = self._edited(objects[place])
        self.resources = replace(self.resources, objects=tuple(objects))
        return self.resources

    def _edited(self, item: Mapping[str, Any]) -> dict[str, Any]:
        spec = dict(item["spec"])
        if item["kind"] == "RoutingPolicy":
            first, *others = spec["targets"]
            spec["targets"] = [first | {"weight": first["weight"] % 99 + 1}, *others]
        elif item["kind"] == "ModelProvider":
            first, *others = spec["models"]
            spec["models"] = [first | {"maxOutputTokens": first["maxOutputTokens"] + 1}, *others]
        else:
            spec["compliance"] = [] if spec.get("compliance") else ["GDPR"]
        metadata = item["metadata"]
        return {**item, "metadata": {**metadata, "generation": metadata["generation"] + 1}, "spec": spec}


def measure_compiling(report: Report, resources: Resources, edits: int, seed: int) -> tuple[Compilation, list[Sealed]]:
    """Compile once from nothing, then after each edit. Returns the first compilation and the snapshot of each edit."""
    settings = Settings()
    began = perf_counter()
    first = compile_resources(resources, None, settings)
    report.add("compile, cold", perf_counter() - began, "s", at_most=COLD_GOAL_SECONDS)
    manifest = first.snapshot.manifest
    report.add(
        "snapshot, compressed",
        len(first.snapshot.payload) / 1024,
        "KiB",
        at_most=SIZE_GOAL_KIB,
        note=f"{manifest.body_bytes / 1024:,.0f} KiB unpacked",
    )
    editor = Editor(resources, seed)
    previous, seconds, sealed = first.previous, [], []
    for _ in range(edits):
        edited = editor.edit()
        gc.freeze()  # as the compiler process does between two compilations
        began = perf_counter()
        compiled = compile_resources(edited, previous, settings)
        seconds.append(perf_counter() - began)
        if not compiled.changed:
            raise AssertionError("an edit changed nothing")
        previous = compiled.previous
        sealed.append(compiled.snapshot)
    report.add("compile after one edit, p50", percentile(seconds, 50) * 1000, "ms", note=f"{edits} edits, sealed each")
    report.add("compile after one edit, p99", percentile(seconds, 99) * 1000, "ms", at_most=EDIT_GOAL_SECONDS * 1000)
    return first, sealed


def measure_building(report: Report, first: Compilation, edited: Sealed, credentials: Any) -> None:
    """How long a router takes to make a table of a snapshot: its first, and the next after one edit."""
    reusable = Reusable()
    for label, sealed in (("first", first.snapshot), ("after one edit", edited)):
        began = perf_counter()
        _, reusable = run_to_end(build(sealed.manifest, unseal(sealed), credentials, reusable))
        report.add(f"table, {label}", (perf_counter() - began) * 1000, "ms", note="unpacked, checked, linked, indexed")
