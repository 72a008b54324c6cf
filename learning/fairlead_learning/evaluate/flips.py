"""How often labels change when texts change and their categories do not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from fairlead_learning.evaluate.perturb import CHANGES, changed
from fairlead_learning.train.rows import Row

Labels = Callable[[Sequence[str]], Mapping[str, Sequence[str]]]
"""Labels for texts, by method."""


class Flips(msgspec.Struct, frozen=True):
    """Of one method under one change."""

    flipped: float
    """Share of all rows whose label is another than before, be that right or wrong."""
    accuracy: float
    """After the change."""


def flips(rows: Sequence[Row], label: Labels, *, seed: int) -> dict[str, dict[str, Flips]]:
    """By change, then by method."""
    texts = [row.text for row in rows]
    before = label(texts)
    found = {}
    for name, change in CHANGES.items():
        after = label(changed(change, texts, seed=seed))
        found[name] = {
            method: Flips(
                round(_share(one != other for one, other in zip(before[method], given, strict=True)), 4),
                round(_share(one == row.label for one, row in zip(given, rows, strict=True)), 4),
            )
            for method, given in after.items()
        }
    return found


def _share(holds: Iterable[bool]) -> float:
    values = list(holds)
    return sum(values) / len(values)
