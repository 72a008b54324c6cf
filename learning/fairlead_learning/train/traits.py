"""Weights of complexity, fitted to how often models fail.

    python -m fairlead_learning.train.traits router_ulab9_train.jsonl router_zeroeval16_train.jsonl [--write]

Each row has a prompt, its task, and scores of several models between 0 and 1; 1 less their mean is how hard the prompt was
for them. A logistic curve is fitted with weights that are not negative (and some not below ``AT_LEAST``), so that nothing
asked for makes a request easier, and one intercept for each file, since its models differ. The intercept that is kept gives
``SHORT_REQUEST`` the complexity that the source document has for it. Tasks count alike.

Prints one JSON object: Spearman's correlation with failure over all prompts of the tasks left out, one task after another, and
within each, and the area under the ROC curve for "most models fail". Last measured: AUC 0.63 for nine open models on fourteen
tasks and 0.79 for sixteen larger ones on three.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from scipy.optimize import minimize
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from fairlead_learning.text.excerpt import excerpt
from fairlead_learning.text.surface import surface
from fairlead_learning.text.traits import HARD_FROM, MEDIUM_FROM, Weights, complexity, demands

SHORT_REQUEST = ("Create a beautiful poem about nature", 0.15)
AT_LEAST = {"length": 0.3, "reasoning": 0.5, "code": 0.2}
"""By judgement: benchmarks ask closed questions, and cannot show that long briefs, given code and calls to reason are work."""
PENALTY = 0.02
"""On squared weights, against the mean log-loss."""
TARGET = Path(__file__).parent.parent / "text" / "traits.json"


def demand_of(text: str) -> dict[str, float]:
    """Demands of a text as they are when it is served."""
    return demands(excerpt(text).lower(), surface(text))


def fitted(
    values: np.ndarray, least: Sequence[float], failure: np.ndarray, tasks: np.ndarray, files: np.ndarray
) -> np.ndarray:
    """Weights of the columns of ``values``, none below its ``least``."""
    _, index, counts = np.unique(tasks, return_inverse=True, return_counts=True)
    importance = (1 / counts)[index] / len(counts)
    columns = np.hstack([values, np.eye(int(files.max()) + 1)[files]])
    width = values.shape[1]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        logits = columns @ weights
        losses = np.logaddexp(0, logits) - failure * logits
        penalty = np.concatenate([weights[:width], np.zeros(columns.shape[1] - width)]) * PENALTY
        gradient = columns.T @ (importance * (1 / (1 + np.exp(-logits)) - failure)) + penalty
        return float(importance @ losses + 0.5 * penalty @ weights), gradient

    bounds = [(low, None) for low in least] + [(None, None)] * (columns.shape[1] - width)
    return np.asarray(minimize(loss, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds).x)[:width]


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help=f"put the weights into {TARGET.name}")
    options = parser.parse_args(arguments)
    read = [
        (number, json.loads(line))
        for number, path in enumerate(options.files)
        for line in path.read_text(encoding="utf-8").split("\n")
        if line
    ]
    found = [demand_of(row["prompt"]) for _, row in read]
    names = list(found[0])
    least = [AT_LEAST.get(name, 0.0) for name in names]
    values = np.array([[demand[name] for name in names] for demand in found])
    failure = 1 - np.array([np.mean(list(row["score"].values())) for _, row in read])
    tasks = np.array([f"{number}/{row['task']}" for number, row in read])
    files = np.array([number for number, _ in read])

    out = np.zeros(len(failure))
    for task in np.unique(tasks):
        left = tasks == task
        out[left] = values[left] @ fitted(values[~left], least, failure[~left], tasks[~left], files[~left])
    weights = fitted(values, least, failure, tasks, files)
    text, wanted = SHORT_REQUEST
    short = demand_of(text)
    intercept = np.log(wanted / (1 - wanted)) - sum(
        short[name] * weight for name, weight in zip(names, weights, strict=True)
    )
    result = Weights(
        round(float(intercept), 3), {name: round(float(w), 3) for name, w in zip(names, weights, strict=True)}
    )
    scores = np.array([complexity(demand, result) for demand in found])
    steps = np.digitize(scores, [MEDIUM_FROM, HARD_FROM])
    report = {
        "weights": msgspec.to_builtins(result),
        "tasks_left_out": {
            str(path.name): {
                "spearman": round(float(spearmanr(out[files == number], failure[files == number]).statistic), 3),
                "auc_most_fail": round(float(roc_auc_score(failure[files == number] > 0.5, out[files == number])), 3),
            }
            for number, path in enumerate(options.files)
        },
        "within_task_spearman": {
            str(task): round(float(spearmanr(out[tasks == task], failure[tasks == task]).statistic), 3)
            for task in np.unique(tasks)
        },
        "solved_by_step": [
            [round(float(1 - failure[mine].mean()), 3), int(mine.sum())]
            for number in range(len(options.files))
            for mine in ((steps == step) & (files == number) for step in range(3))
        ],
    }
    if options.write:
        TARGET.write_text(json.dumps(msgspec.to_builtins(result), indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
