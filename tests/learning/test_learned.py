"""The bundle that comes with the package, as it serves."""

import io
import json
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.bundles.write import listed, write_bundle
from fairlead_learning.categories import CATEGORIES
from fairlead_learning.head.lexical import BUCKETS
from fairlead_learning.learned import DEFAULT_CLASSIFIER, LearnedClassifier

HOSTILE = [
    "",
    " \n",
    "\x00",
    "\ud800 lone",
    "🙂" * 500,
    "a" * 100_000,
    "(" * 20_000,
    "Write a poem. " * 8_000,
    "‮טקסט‬ עברי",
]


@pytest.fixture(scope="module")
def classifier() -> LearnedClassifier:
    return LearnedClassifier.open()


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Implement a thread-safe LRU cache in Go", "coding"),
        ("why does my flexbox overflow its parent on safari", "coding"),
        ("A sonnet about a lighthouse keeper who has never seen the sea", "creative_writing"),
        ("Sort these animals into mammals and reptiles: bat, gecko, otter, adder", "analysis"),
        ("A tank holds 240 litres and drains 8 litres a minute. How long until a quarter is left?", "math"),
        ("Who painted the ceiling of the Sistine Chapel?", "question"),
        ("you seem to be in a good mood today", "chat"),
        ("Give me ten ideas for a rainy weekend with two small children", "general"),
        ("transfer fifty pounds from savings to my current account", "general"),
    ],
)
def test_plain_cases_are_told_apart(classifier: LearnedClassifier, text: str, category: str) -> None:
    (verdict,) = classifier.classify([text])
    assert classifier.labels[int(np.argmax(verdict.probabilities))] == category


def test_it_knows_the_seven_categories(classifier: LearnedClassifier) -> None:
    assert classifier.labels == CATEGORIES


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_gets_probabilities(classifier: LearnedClassifier, text: str) -> None:
    (verdict,) = classifier.classify([text])
    assert sum(verdict.probabilities) == pytest.approx(1)
    assert all(0 <= value <= 1 for value in verdict.probabilities)
    assert verdict.conformal_set
    assert set(verdict.conformal_set) <= set(CATEGORIES)


def test_a_text_gets_the_same_in_any_company(classifier: LearnedClassifier) -> None:
    together = classifier.probabilities(HOSTILE)
    alone = np.concatenate([classifier.probabilities([text]) for text in HOSTILE])
    assert np.allclose(together, alone, atol=1e-4)


def test_a_smaller_error_rate_keeps_more_categories() -> None:
    texts = ["Tell me about rivers", "Compare two ways to travel", "python", "What are the key parts of a garden?"]
    sizes = [
        sum(len(verdict.conformal_set) for verdict in LearnedClassifier.open(error_percent=percent).classify(texts))
        for percent in (1, 10, 40)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]


def test_examples_make_a_category_of_their_own_without_touching_unrelated_texts(classifier: LearnedClassifier) -> None:
    examples = {
        "legal": [
            "Draft a clause that limits our liability to direct damages.",
            "Is a verbal contract binding in court?",
        ]
    }
    extended = LearnedClassifier.open(examples=examples)
    assert extended.labels == (*CATEGORIES, "legal")
    near = extended.classify(["Draft a clause that limits our liability to direct damages"])[0]
    assert extended.labels[int(np.argmax(near.probabilities))] == "legal"
    unrelated = "Implement a thread-safe LRU cache in Go"
    (plain,), (other,) = classifier.classify([unrelated]), extended.classify([unrelated])
    assert other.probabilities == (*plain.probabilities, 0.0)


def test_no_texts_give_no_verdicts(classifier: LearnedClassifier) -> None:
    assert classifier.classify([]) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"buckets": 8}, "hashes n-grams into 8 buckets"),
        ({"temperature": 0}, "has parameters that no classifier has"),
        ({"temperature": 9.0}, "self-test 1 fails"),
        ({"more": 1}, "has parameters that no classifier has"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(DEFAULT_CLASSIFIER, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["parameters"] |= change
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=complaint):
        LearnedClassifier.open(folder)


RISING = np.linspace(0, 1, 900, dtype=np.float32)


@pytest.mark.parametrize(
    ("file", "array", "complaint"),
    [
        ("conformal_scores.npy", RISING[::-1], "are no probabilities in rising order"),
        ("conformal_scores.npy", RISING * 2, "are no probabilities in rising order"),
        ("conformal_scores.npy", RISING.reshape(2, -1), "are no probabilities in rising order"),
        ("conformal_scores.npy", np.append(RISING, np.float32("nan")), "are no probabilities in rising order"),
        ("lexical_biases.npy", np.array(["a"] * 7), "has weights that are no numbers"),
        ("lexical_weights.npy", np.full((2, BUCKETS, 7), np.inf, np.float16), "has weights that are no numbers"),
    ],
)
def test_arrays_that_no_head_has_are_refused(tmp_path: Path, file: str, array: np.ndarray, complaint: str) -> None:
    original = Bundle.open(DEFAULT_CLASSIFIER)
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array))
    contents = {each.path: original.read(each.path) for each in original.manifest.files} | {file: buffer.getvalue()}
    manifest = msgspec.structs.replace(original.manifest, files=listed(contents))
    write_bundle(tmp_path / "bundle", manifest, contents)
    with pytest.raises(BundleError, match=complaint):
        LearnedClassifier.open(tmp_path / "bundle")


def test_a_bundle_with_a_label_twice_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(DEFAULT_CLASSIFIER, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["labels"][5] = manifest["labels"][6]
    for test in manifest["selfTests"]:
        test.pop("label", None)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="has a label twice"):
        LearnedClassifier.open(folder)


def test_a_bundle_with_too_few_labels_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(DEFAULT_CLASSIFIER, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["labels"].pop()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="arrays that do not fit 6 labels"):
        LearnedClassifier.open(folder)
