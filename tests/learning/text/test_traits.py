from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_learning.categories import CATEGORIES
from fairlead_learning.text.surface import surface
from fairlead_learning.text.traits import WEIGHTS, Difficulty, Traits, complexity, demands, traits
from tests.learning.hostile import HOSTILE

OLYMPIAD = (
    r"Let $f(x)=\frac{2x}{x^2-5x-14}$ have vertical asymptotes $x=a$ and $x=b$, and horizontal asymptote $y=c$. "
    r"Find $a+b+c$ and prove step by step that it is the only value for all $n \le 5$."
)


def of(text: str, category: str) -> Traits:
    return traits(text, surface(text), category)


def test_the_poem_of_the_source_document_is_easy_and_creative() -> None:
    found = of("Create a beautiful poem about nature", "creative_writing")
    assert found.complexity == pytest.approx(0.15, abs=0.01)
    assert found.creativity == pytest.approx(0.9)
    assert found.difficulty is Difficulty.EASY


@pytest.mark.parametrize(
    ("text", "category", "difficulty"),
    [
        ("Write a Python function to sort a list", "coding", Difficulty.EASY),
        ("hi", "chat", Difficulty.EASY),
        ("What is 2+2?", "math", Difficulty.EASY),
        (
            "Why does the compiler reject this, and which fix keeps it fast?\n" + "x = f(y[0]);\n" * 6,
            "coding",
            Difficulty.MEDIUM,
        ),
        (OLYMPIAD, "math", Difficulty.HARD),
    ],
)
def test_difficulty(text: str, category: str, difficulty: Difficulty) -> None:
    assert of(text, category).difficulty is difficulty


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```\nx\n```", True),
        ("Why is this wrong?\ndef f(x):\n    return x", True),
        ("print(x)", True),
        ("How are you?", False),
        ("I import wine; it's good.", False),
    ],
)
def test_code_is_seen(text: str, expected: bool) -> None:
    assert of(text, "coding").contains_code is expected


@pytest.mark.parametrize(
    ("text", "category", "expected"),
    [
        ("12 * 7", "math", False),
        ("A train leaves at noon and another at one. When do they meet?", "math", True),
        ("Explain why the sky is blue", "question", True),
        ("为什么天空是蓝色的", "question", True),
        ("hi", "chat", False),
    ],
)
def test_need_for_reasoning(text: str, category: str, expected: bool) -> None:
    assert of(text, category).needs_reasoning is expected


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("category", [*CATEGORIES, "one_of_our_own"])
def test_hostile_texts_have_traits(name: str, category: str) -> None:
    found = of(HOSTILE[name], category)
    assert 0 <= found.complexity <= 1
    assert 0 <= found.creativity <= 1


@given(st.text(), st.sampled_from(sorted(WEIGHTS.weights)), st.floats(0, 3))
def test_one_more_demand_makes_nothing_easier(text: str, name: str, more: float) -> None:
    demand = demands(text.lower(), surface(text))
    assert complexity({**demand, name: demand[name] + more}, WEIGHTS) >= complexity(demand, WEIGHTS)


def test_every_demand_has_a_weight() -> None:
    assert set(demands("", surface(""))) == set(WEIGHTS.weights)
