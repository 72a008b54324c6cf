"""Training a classifier, with PyTorch, on few rows: whole, repeatable, and loadable by what serves."""

from pathlib import Path

import msgspec
import pytest

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.learned import LearnedClassifier
from fairlead_learning.train.classifier import Options, train_classifier
from fairlead_learning.train.rows import RowError

SUBJECTS = ("rivers", "engines", "cheese", "the moon", "chess", "bridges", "bees", "tides", "paint", "maps")
FORMS = {
    "coding": ("Write a Python function that counts {0}", "Fix this SQL query about {0}: SELECT name FROM t WHERE"),
    "chat": ("hello, do you like {0}?", "you are as dull as {0}, friend"),
    "legal": ("Draft a clause on the liability for {0}", "Is a contract about {0} binding without a signature?"),
}


def data(folder: Path) -> Path:
    rows = [
        {"text": form.format(subject), "label": label, "split": "dev" if number % 3 == 0 else "train"}
        for label, forms in FORMS.items()
        for number, subject in enumerate(SUBJECTS)
        for form in forms
    ]
    file = folder / "rows.jsonl"
    file.write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows))
    return file


def trained(file: Path, out: Path, seed: int = 1) -> dict[str, bytes]:
    train_classifier(Options(data=[file], out=out, seed=seed, epochs=3, authored=False), lambda _: None)
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    trained(data(folder), folder / "bundle")
    return folder


def test_the_bundle_that_comes_out_serves_and_has_learned_something(once: Path) -> None:
    classifier = LearnedClassifier.open(once / "bundle")
    assert classifier.labels == ("coding", "chat", "legal")
    texts = [
        "Write a Python function that counts clouds",
        "hello, do you like clouds?",
        "Draft a clause on the liability for clouds",
    ]
    best = [
        classifier.labels[max(range(3), key=verdict.probabilities.__getitem__)]
        for verdict in classifier.classify(texts)
    ]
    assert best == ["coding", "chat", "legal"]


def test_the_same_rows_and_seed_give_the_same_bytes(once: Path, tmp_path: Path) -> None:
    first = {path.name: path.read_bytes() for path in sorted((once / "bundle").iterdir())}
    assert trained(once / "rows.jsonl", tmp_path / "again") == first


def test_another_seed_gives_another_model(once: Path, tmp_path: Path) -> None:
    assert (
        trained(once / "rows.jsonl", tmp_path / "other", seed=2)["model.onnx"]
        != (once / "bundle/model.onnx").read_bytes()
    )


def test_the_manifest_says_what_it_was_made_from(once: Path) -> None:
    origin = Bundle.open(once / "bundle").manifest.origin
    assert origin.command.startswith("fairlead train classifier --data rows.jsonl --seed 1")
    assert set(origin.data) == {"rows.jsonl"}


def test_what_would_be_refused_in_the_end_is_refused_before_any_work(once: Path, tmp_path: Path) -> None:
    def told(words: str) -> None:
        raise AssertionError(f"work began: {words}")

    file = once / "rows.jsonl"
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.doc").write_text("mine")
    with pytest.raises(BundleError, match=r"notes\.doc: is in the way"):
        train_classifier(Options(data=[file], out=tmp_path / "used"), told)
    with pytest.raises(BundleError, match="is no folder"):
        train_classifier(Options(data=[file], out=file), told)
    with pytest.raises(BundleError, match="cannot have the version 'one of these days'"):
        train_classifier(Options(data=[file], out=tmp_path / "out", version="one of these days"), told)
    (tmp_path / "rows.jsonl").write_bytes(file.read_bytes())
    with pytest.raises(RowError, match=r"two files are named rows\.jsonl"):
        train_classifier(Options(data=[file, tmp_path / "rows.jsonl"], out=tmp_path / "out"), told)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (
            [{"text": f"t{n}", "label": "chat", "split": "dev" if n % 2 else ""} for n in range(80)],
            "at least two categories",
        ),
        ([{"text": f"t{n}", "label": f"l{n % 2}"} for n in range(40)], "rows are left to calibrate with"),
    ],
)
def test_rows_that_nothing_can_be_learned_from_are_refused_before_any_work(
    tmp_path: Path, rows: list[dict[str, str]], complaint: str
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b"\n".join(msgspec.json.encode(row) for row in rows))
    with pytest.raises(RowError, match=complaint):
        train_classifier(Options(data=[file], out=tmp_path / "out"), lambda _: None)
    assert not (tmp_path / "out").exists()
