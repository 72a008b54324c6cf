"""Categories by example."""

import numpy as np
import pytest

from fairlead_learning.encoder.default import DEFAULT_ENCODER
from fairlead_learning.encoder.runtime import Encoder
from fairlead_learning.head.examples import Examples

TEXTS = {"legal": ("Is a verbal contract binding in court?",), "chat": ("how was your weekend?", "nice weather today")}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.open(DEFAULT_ENCODER)


def test_new_categories_follow_the_trained_ones(encoder: Encoder) -> None:
    assert Examples(encoder, TEXTS, ("coding", "chat")).labels == ("coding", "chat", "legal")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Is a verbal contract binding in court?", [0.0, 0.0, 1.0]),
        ("how was your weekend", [0.0, 1.0, 0.0]),
        ("Implement quicksort in Rust", [0.9, 0.1, 0.0]),
    ],
    ids=["the example itself", "nearly an example", "unrelated"],
)
def test_the_nearest_example_decides_as_far_as_it_is_near(encoder: Encoder, text: str, expected: list[float]) -> None:
    found = Examples(encoder, TEXTS, ("coding", "chat")).applied([text], np.array([[0.9, 0.1]]))
    assert found[0].tolist() == pytest.approx(expected)


def test_probabilities_still_sum_to_one_half_way(encoder: Encoder) -> None:
    texts = ["are spoken agreements binding in a court of law?", "", "weather", "contract"]
    found = Examples(encoder, TEXTS, ("coding", "chat")).applied(texts, np.full((4, 2), 0.5))
    assert found.sum(axis=1) == pytest.approx(1)
    assert any(0 < row[2] < 1 for row in found)
    assert (found >= 0).all()


def test_without_texts_nothing_changes(encoder: Encoder) -> None:
    found = Examples(encoder, {"legal": ()}, ("coding",)).applied(["anything"], np.array([[1.0]]))
    assert found.tolist() == [[1.0, 0.0]]
