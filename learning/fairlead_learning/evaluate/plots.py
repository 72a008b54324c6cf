"""Plots for documents: PNG, small, the same bytes for the same figures. Needs matplotlib (extra ``train``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fairlead_learning.evaluate.metrics import Confusion, reliability
from fairlead_learning.evaluate.served import Given

_DOTS_PER_INCH = 90
_NO_METADATA = {"Software": None}
"""Else the file names the version of matplotlib."""


def reliability_diagram(path: Path, right: Sequence[str], methods: Mapping[str, Given]) -> None:
    """Accuracy over confidence, in bins of equal mass, and above it how often which confidence is given."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.4, 5.4), layout="constrained")
    counts, curve = figure.subplots(2, 1, sharex=True, height_ratios=(1, 4))
    curve.plot((0, 1), (0, 1), color="0.7", linestyle="--", label="honest")
    for name, given in methods.items():
        confidences = np.array(given.confidences)
        hits = np.array([one == other for one, other in zip(right, given.labels, strict=True)])
        bins = reliability(confidences, hits)
        curve.plot([each.confidence for each in bins], [each.accuracy for each in bins], marker="o", label=name)
        counts.hist(confidences, bins=20, range=(0, 1), histtype="step", linewidth=1.3)
    counts.set_ylabel("prompts")
    curve.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    curve.legend(loc="upper left", frameon=False)
    curve.grid(alpha=0.3)
    figure.savefig(path, dpi=_DOTS_PER_INCH, metadata=_NO_METADATA)


def confusion_plot(path: Path, confusion: Confusion) -> None:
    """Shares of each right label (row) that were given each label (column), with counts."""
    from matplotlib.figure import Figure

    counts = confusion.counts
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    places = range(len(confusion.labels))
    figure = Figure(figsize=(6.2, 5.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in places:
        for column in places:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(places, confusion.labels, rotation=35, ha="right")
    axes.set_yticks(places, confusion.labels)
    axes.set(xlabel="given", ylabel="right")
    figure.savefig(path, dpi=_DOTS_PER_INCH, metadata=_NO_METADATA)
