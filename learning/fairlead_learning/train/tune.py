"""Fine-tunes the encoder with a linear head on top. Needs the ``train`` extra.

All choices that are not obvious were made by cross-validation over sources on the training split: see docs/classification.md.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from fairlead_learning.train.augment import augmented

THREADS = 2
"""Fixed: sums over another number of threads differ in their last bits, and after some thousand steps in all of them."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fine-tune. The learning rate is that of the encoder at its peak."""

    epochs: int = 3
    batch: int = 32
    learning_rate: float = 8e-5
    head_learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warm_up: float = 0.06
    """Share of the steps."""
    label_smoothing: float = 0.05
    dropout: float = 0.1
    augmented_share: float = 0.3


@dataclass(frozen=True, slots=True)
class Example:
    """One text to learn from."""

    text: str
    label: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came out: the encoder's weights by name, and the head on its mean-pooled, not normalised output."""

    state: dict[str, NDArray[np.float32]]
    head_weight: NDArray[np.float32]
    """(labels, dimensions)."""
    head_bias: NDArray[np.float32]


Tokenise = Callable[[str], list[int]]


def tune(
    model: Any,
    tokenise: Tokenise,
    examples: Sequence[Example],
    labels: int,
    *,
    recipe: Recipe,
    seed: int,
    report: Callable[[str], None],
) -> Tuned:
    """Fine-tune ``model`` (a ``transformers`` BertModel, changed in place). The same arguments give the same bytes."""
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    draw = random.Random(seed)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = recipe.dropout
    head = torch.nn.Linear(model.config.hidden_size, labels)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    optimiser = torch.optim.AdamW(_parameter_groups(model, head, recipe))
    parameters = [*model.parameters(), *head.parameters()]
    plain = [tokenise(example.text) for example in examples]
    steps = recipe.epochs * -(-len(examples) // recipe.batch)
    step = 0
    model.train()
    for epoch in range(recipe.epochs):
        rows = [
            (tokenise(augmented(example.text, draw)) if draw.random() < recipe.augmented_share else ids, example)
            for ids, example in zip(plain, examples, strict=True)
        ]
        total = 0.0
        for batch in _batches(rows, recipe.batch, draw):
            factor = min(1.0, step / max(1.0, recipe.warm_up * steps)) * max(0.0, 1 - step / steps)
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * factor
            step += 1
            pooled = functional.dropout(pool(model, [ids for ids, _ in batch]), recipe.dropout)
            losses = functional.cross_entropy(
                head(pooled),
                torch.tensor([example.label for _, example in batch]),
                reduction="none",
                label_smoothing=recipe.label_smoothing,
            )
            loss = (losses * torch.tensor([example.weight for _, example in batch])).mean()
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            total += float(loss.detach())
        report(f"epoch {epoch + 1} of {recipe.epochs}: loss {total / max(1, steps // recipe.epochs):.4f}")
    model.eval()
    state = {name: value.detach().numpy().astype(np.float32) for name, value in model.state_dict().items()}
    return Tuned(state, head.weight.detach().numpy().copy(), head.bias.detach().numpy().copy())


def pool(model: Any, batch: Sequence[Sequence[int]]) -> torch.Tensor:
    """Mean over the tokens of the last layer: (n, dimensions)."""
    longest = max(map(len, batch))
    ids = torch.tensor([[*each, *[0] * (longest - len(each))] for each in batch])
    mask = torch.tensor([[1] * len(each) + [0] * (longest - len(each)) for each in batch])
    hidden: torch.Tensor = model(input_ids=ids, attention_mask=mask).last_hidden_state
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def _batches(
    rows: list[tuple[list[int], Example]], size: int, draw: random.Random
) -> Iterator[list[tuple[list[int], Example]]]:
    """Batches of texts of about the same length, in no order: padding costs as much as text."""
    draw.shuffle(rows)
    batches: list[list[tuple[list[int], Example]]] = []
    for start in range(0, len(rows), size * 16):
        part = sorted(rows[start : start + size * 16], key=lambda row: len(row[0]))
        batches += [part[at : at + size] for at in range(0, len(part), size)]
    draw.shuffle(batches)
    yield from batches


def _parameter_groups(model: Any, head: torch.nn.Linear, recipe: Recipe) -> list[dict[str, Any]]:
    tuned = [value for name, value in model.named_parameters() if not name.startswith("pooler")]
    decayed = [value for value in tuned if value.ndim > 1]
    others = [value for value in tuned if value.ndim == 1]
    return [
        {"params": decayed, "peak": recipe.learning_rate, "weight_decay": recipe.weight_decay},
        {"params": others, "peak": recipe.learning_rate, "weight_decay": 0.0},
        {"params": list(head.parameters()), "peak": recipe.head_learning_rate, "weight_decay": 0.0},
    ]
