"""What all workers count, as one exposition: counters and histograms added up, gauges each by its meaning.

Works on Prometheus' text format as the workers write it, line by line: the client library's parser takes twenty times as long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

GAUGES: Mapping[str, Callable[[Iterable[float]], float]] = {
    # What the oldest worker runs, and whether the last news runs everywhere.
    "fairlead_config_epoch": min,
    "fairlead_config_revision": min,
    "fairlead_config_last_reload_success": min,
    "fairlead_config_pending_credentials": max,
    # One worker watches for all; the others have no such sample.
    "fairlead_config_source_connected": min,
    "fairlead_config_age_seconds": max,
    # What is wrong anywhere is wrong.
    "fairlead_degraded": max,
    "fairlead_store_available": min,
    "fairlead_breaker_sharing_lag_seconds": max,
    "model_router_model_health_score": min,
    # Which bundles are in force on any of them.
    "fairlead_classifier_bundle_info": max,
    # Each worker has its own part of these.
    "fairlead_requests_in_flight": sum,
    "fairlead_requests_queued": sum,
    "fairlead_classifier_queue": sum,
    "fairlead_buffered_bytes": sum,
    "fairlead_store_owed_usd": sum,
    "fairlead_workers": sum,
}
"""How the values of a gauge become one. What is not in here is added up."""

_GROWING = ("counter", "histogram", "summary")


@dataclass(slots=True)
class Family:
    """One metric: its two lines of comment, and its samples by name and labels as they are written."""

    kind: str
    head: str
    samples: dict[str, float] = field(default_factory=dict)


Exposition = dict[str, Family]


def parse(text: str) -> Exposition:
    """The families of an exposition, in its order. Samples without a ``TYPE`` before them are left out."""
    families: Exposition = {}
    family: Family | None = None
    help_line = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            help_line = line + "\n"
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            family = families[name] = Family(kind, f"{help_line}{line}\n")
            help_line = ""
        elif line and not line.startswith("#") and family is not None:
            # A label's value may hold spaces; the number after the last one does not.
            key, _, value = line.rpartition(" ")
            family.samples[key] = float(value)
    return families


def merged(expositions: Iterable[Exposition]) -> Exposition:
    """All of them as one."""
    values: dict[str, dict[str, list[float]]] = {}
    result: Exposition = {}
    for exposition in expositions:
        for name, family in exposition.items():
            result.setdefault(name, Family(family.kind, family.head))
            of_family = values.setdefault(name, {})
            for key, value in family.samples.items():
                of_family.setdefault(key, []).append(value)
    for name, family in result.items():
        combine = sum if family.kind in _GROWING else GAUGES.get(name, sum)
        family.samples = {key: float(combine(found)) for key, found in values[name].items()}
    return result


def what_grows(exposition: Exposition) -> Exposition:
    """Only what never goes down: what a worker that is gone leaves behind."""
    return {name: family for name, family in exposition.items() if family.kind in _GROWING}


def render(exposition: Exposition) -> str:
    """The text form again."""
    lines: list[str] = []
    for family in exposition.values():
        lines.append(family.head)
        lines.extend(f"{key} {_number(value)}\n" for key, value in family.samples.items())
    return "".join(lines)


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)
