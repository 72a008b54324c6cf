"""What makes a folder a bundle, and what makes it none."""

import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.bundles.manifest import MANIFEST, BundleKind, Features, encode
from fairlead_learning.bundles.verify import verify_files
from tests.learning.bundles.made import CONTENTS, make, manifest_of


def npy(array: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=allow_pickle)
    return buffer.getvalue()


def npy_of(shape: str) -> bytes:
    """An array whose header says that it has this shape."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)


def test_what_was_written_is_verified_and_read(tmp_path: Path) -> None:
    made = make(tmp_path / "b")
    bundle = verify_files(tmp_path / "b")
    assert bundle == made
    assert {path: bundle.read(path) for path in CONTENTS} == CONTENTS


def overwrite(path: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / path).write_bytes(content)


def in_manifest(old: bytes, new: bytes) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        text = (folder / MANIFEST).read_bytes()
        assert old in text
        (folder / MANIFEST).write_bytes(text.replace(old, new))

    return change


def to_link(path: str, target: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        outside = folder.parent / target
        (folder / path).rename(outside)
        (folder / path).symlink_to(outside)

    return change


DAMAGE = {
    "a byte of a file is another": (overwrite("model.onnx", b"Graph" * 100), "model.onnx", "was changed or damaged"),
    "a file is cut off": (overwrite("model.onnx", b"graph"), "model.onnx", "has 5 bytes instead of 500"),
    "a file is longer": (overwrite("model.onnx", b"graph" * 101), "model.onnx", "has 505 bytes instead of 500"),
    "a file is missing": (lambda folder: (folder / "model.onnx").unlink(), "model.onnx", "is listed .* and missing"),
    "a file is not listed": (overwrite("extra.json", b"{}"), "extra.json", "is not listed"),
    "a hidden file is not listed": (overwrite("words/.x", b""), "words/.x", "is not listed"),
    "a file is a symbolic link": (to_link("model.onnx", "elsewhere"), "model.onnx", "is a symbolic link"),
    "a folder is a symbolic link": (to_link("words", "elsewhere"), "words", "is a symbolic link"),
    "the manifest is a symbolic link": (to_link(MANIFEST, "elsewhere"), MANIFEST, "is a symbolic link|cannot be read"),
    "a pipe stands in the folder": (lambda folder: os.mkfifo(folder / "pipe.json"), "pipe.json", "special file"),
    "the manifest is a folder": (
        lambda folder: ((folder / MANIFEST).unlink(), (folder / MANIFEST).mkdir()),
        MANIFEST,
        "cannot be read|no regular file",
    ),
    "there is no manifest": (lambda folder: (folder / MANIFEST).unlink(), MANIFEST, "cannot be read: No such file"),
    "the manifest is cut off": (overwrite(MANIFEST, b'{"schemaVersion": 1, '), MANIFEST, "cannot be read"),
    "the manifest is not UTF-8": (
        overwrite(MANIFEST, b'{"schemaVersion": 1, "name": "\xff"}'),
        MANIFEST,
        "cannot be read",
    ),
    "the manifest is nested without end": (overwrite(MANIFEST, b"[" * 100_000), MANIFEST, "cannot be read"),
    "the manifest is huge": (overwrite(MANIFEST, b" " * 5_000_000), MANIFEST, "larger than"),
    "the schema is of the future": (
        in_manifest(b'"schemaVersion": 1', b'"schemaVersion": 2'),
        MANIFEST,
        "schema version 2, and this program reads 1",
    ),
    "the schema has no number": (
        in_manifest(b'"schemaVersion": 1', b'"schemaVersion": "x"'),
        MANIFEST,
        "cannot be read",
    ),
    "a field is unknown": (in_manifest(b'"name"', b'"run": "rm", "name"'), MANIFEST, "unknown field `run`"),
    "a field is missing": (in_manifest(b'"licence": "CC0-1.0",', b""), MANIFEST, "missing required field `licence`"),
    "a version would leave the store": (
        in_manifest(b'"version": "1"', b'"version": "../1"'),
        MANIFEST,
        "cannot be read",
    ),
    "a version ends with a line feed": (
        in_manifest(b'"version": "1"', b'"version": "1\\n"'),
        MANIFEST,
        "cannot be read",
    ),
    "a kind is unknown": (in_manifest(b'"Encoder"', b'"Decoder"'), MANIFEST, "cannot be read"),
    "a path leaves the folder": (in_manifest(b'"model.onnx"', b'"../model.onnx"'), MANIFEST, "no bundle may hold"),
    "a path is absolute": (in_manifest(b'"model.onnx"', b'"/etc/model.onnx"'), MANIFEST, "no bundle may hold"),
    "a path has a detour": (in_manifest(b'"model.onnx"', b'"words/./model.onnx"'), MANIFEST, "no bundle may hold"),
    "a path is of another system": (
        in_manifest(b'"model.onnx"', b'"words\\\\model.onnx"'),
        MANIFEST,
        "no bundle may hold",
    ),
    "the manifest lists itself": (in_manifest(b'"model.onnx"', b'"manifest.json"'), MANIFEST, "no bundle may hold"),
    "a file is listed twice": (in_manifest(b"words/tokenizer.json", b"model.onnx"), "model.onnx", "listed twice"),
    "a file is a pickle": (in_manifest(b'"model.onnx"', b'"model.pkl"'), "model.pkl", "a format that is never loaded"),
    "a file is of PyTorch": (in_manifest(b'"model.onnx"', b'"model.pt"'), "model.pt", "a format that is never loaded"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_bundle_is_refused_with_bundle_file_and_remedy(case: str, tmp_path: Path) -> None:
    damage, file, words = DAMAGE[case]
    make(tmp_path / "b")
    damage(tmp_path / "b")
    with pytest.raises(BundleError, match=words) as caught:
        verify_files(tmp_path / "b")
    assert caught.value.file == file
    assert str(caught.value).startswith(f"bundle {tmp_path / 'b'}, {file}: ")
    assert str(caught.value).endswith(caught.value.mend)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such folder"):
        Bundle.open(tmp_path / "absent")


def test_a_bundle_of_another_kind_is_refused_where_one_kind_is_needed(tmp_path: Path) -> None:
    make(tmp_path / "b")
    with pytest.raises(BundleError, match="is of kind Encoder, not Classifier"):
        Bundle.open(tmp_path / "b", BundleKind.CLASSIFIER)


def test_features_must_have_their_digest(tmp_path: Path) -> None:
    right = Features.of(("words", "lines"))
    make(tmp_path / "b", features=right)
    (tmp_path / "b" / MANIFEST).write_bytes(
        encode(manifest_of(features=Features(names=("lines", "words"), digest=right.digest)))
    )
    with pytest.raises(BundleError, match="digest of the features"):
        Bundle.open(tmp_path / "b")


def test_a_file_that_changes_after_opening_is_never_handed_out(tmp_path: Path) -> None:
    bundle = make(tmp_path / "b")
    (tmp_path / "b" / "model.onnx").write_bytes(b"other" * 100)
    with pytest.raises(BundleError, match="changed or damaged"):
        bundle.read("model.onnx")


def test_a_file_that_is_needed_must_be_listed(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is needed and not listed"):
        make(tmp_path / "b").read("head.npy")


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    bundle = make(tmp_path / "b", {"head.npy": npy(array)})
    np.testing.assert_array_equal(bundle.array("head.npy"), array)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(npy(np.array([{"a": 1}], dtype=object), allow_pickle=True), id="objects"),
        pytest.param(
            npy(np.array([(1, None)], dtype=[("a", "i4"), ("b", "O")]), allow_pickle=True), id="records with objects"
        ),
        pytest.param(b"PK\x03\x04", id="an archive"),
        pytest.param(npy_of(f"({10**15},)"), id="more than any memory holds"),
        pytest.param(npy_of(f"({10**25},)"), id="more than a number holds"),
        pytest.param(npy_of("(2,"), id="a header without end"),
        pytest.param(npy_of("{[]: 1}"), id="a header that is no Python value"),
        pytest.param(b"\x93NUMPY", id="a beginning"),
        pytest.param(npy(np.zeros(9))[:-8], id="cut off before it was listed"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_an_array_that_is_no_array_of_numbers_is_refused(content: bytes, tmp_path: Path) -> None:
    bundle = make(tmp_path / "b", {"head.npy": content})
    with pytest.raises(BundleError, match=re.escape("is no array of numbers")):
        bundle.array("head.npy")


def test_a_new_making_replaces_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path / "b")
    make(tmp_path / "b", {**CONTENTS, "model.onnx": b"better"})
    assert verify_files(tmp_path / "b").read("model.onnx") == b"better"
    (tmp_path / "b" / "notes.doc").write_text("mine")
    with pytest.raises(BundleError, match=r"notes\.doc: is in the way"):
        make(tmp_path / "b")


def test_a_manifest_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be described"):
        make(tmp_path / "b", version="one of these days")
    assert not (tmp_path / "b").exists()
