"""The encoder that comes with the package: what its vectors are, in whatever company and for whatever text."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.bundles.manifest import MANIFEST, SelfTest
from fairlead_learning.bundles.verify import verify
from fairlead_learning.bundles.write import listed, write_bundle, write_manifest
from fairlead_learning.encoder.default import DEFAULT_ENCODER
from fairlead_learning.encoder.runtime import Encoder, batches

TEXTS = [
    "Write a Python function that sorts a list.",
    "",
    "A poem about the sea, please.",
    "What is 12 times 12?",
    "What was 10 times 13?",
    "hello",
    "A contract between two harbours. " * 300,
    "为什么天空是蓝色的？",
    "x",
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.open(DEFAULT_ENCODER)


def test_the_committed_encoder_is_verified() -> None:
    bundle = verify(DEFAULT_ENCODER)
    assert bundle.manifest.licence == "apache-2.0"
    assert Encoder.open(DEFAULT_ENCODER).digest == bundle.digest


def test_vectors_are_of_length_one(encoder: Encoder) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), encoder.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dimensions)


def test_what_is_alike_is_nearer_than_what_is_not(encoder: Encoder) -> None:
    same, also, other = encoder.encode(
        ["Sort a list in Python", "A Python function to order the elements of a list", "A poem about the winter sea"]
    )
    assert same @ also > same @ other + 0.3


def test_a_vector_does_not_depend_on_the_company(encoder: Encoder) -> None:
    together = encoder.encode(TEXTS * 3)
    for number, text in enumerate(TEXTS):
        alone = encoder.encode([text])[0]
        for copy in range(3):
            np.testing.assert_allclose(together[number + copy * len(TEXTS)], alone, atol=1e-5)


def test_encoding_twice_gives_the_same_bits(encoder: Encoder) -> None:
    assert encoder.encode(TEXTS).tobytes() == encoder.encode(TEXTS).tobytes()


def test_several_threads_may_encode_at_once(encoder: Encoder) -> None:
    expected = encoder.encode(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(lambda _: encoder.encode(TEXTS), range(8)):
            np.testing.assert_array_equal(vectors, expected)


def test_more_threads_inside_give_the_same_vectors(encoder: Encoder) -> None:
    np.testing.assert_allclose(Encoder.open(DEFAULT_ENCODER, threads=2).encode(TEXTS), encoder.encode(TEXTS), atol=1e-5)


HOSTILE = {
    "NUL": "\0" * 50,
    "lone surrogates": "\ud800 a \udfff",
    "ten million letters": "a" * 10_000_000,
    "ten million characters of text": "All work and no play. " * 450_000,
    "a million blanks": " " * 1_000_000,
    "unassigned and private characters": "\U000e0000\ue000\uffff",
    "combining marks": "a" + "\u0301" * 5000,
    "right to left": "\u202eשלום\u202c مرحبا",
    "emoji": "👩‍👩‍👧‍👦" * 100,
    "control characters": "".join(map(chr, range(32))),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_have_vectors_too(name: str, encoder: Encoder) -> None:
    assert np.linalg.norm(encoder.encode([HOSTILE[name]])[0]) == pytest.approx(1, abs=1e-5)


@settings(max_examples=25)
@given(st.lists(st.text(st.characters(), max_size=40), max_size=6))
def test_each_text_gets_its_own_vector(texts: list[str]) -> None:
    encoder = _shared()
    together = encoder.encode(texts)
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_allclose(vector, encoder.encode([text])[0], atol=1e-5)


_ENCODERS: list[Encoder] = []


def _shared() -> Encoder:
    if not _ENCODERS:
        _ENCODERS.append(Encoder.open(DEFAULT_ENCODER))
    return _ENCODERS[0]


@given(st.lists(st.integers(2, 128), max_size=60))
def test_batches_hold_each_text_once_of_equal_length_and_bounded(lengths: list[int]) -> None:
    made = list(batches(lengths))
    assert sorted(index for batch in made for index in batch) == list(range(len(lengths)))
    for batch in made:
        assert len({lengths[index] for index in batch}) == 1
        assert sum(lengths[index] for index in batch) <= 512


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_ENCODER, tmp_path / "encoder"))


def remake(folder: Path, path: str, content: bytes) -> None:
    """Replaces a file and its digest: what a mistake in making would do, and not in copying."""
    bundle = Bundle.open(folder)
    contents = {file.path: bundle.read(file.path) for file in bundle.manifest.files} | {path: content}
    write_bundle(folder, msgspec.structs.replace(bundle.manifest, files=listed(contents)), contents)


def test_an_encoder_that_says_something_else_is_refused(copy: Path) -> None:
    bundle = Bundle.open(copy)
    test = SelfTest(text="hello", expected=(0.9, 0.0), tolerance=0.02)
    write_manifest(copy, msgspec.structs.replace(bundle.manifest, self_tests=(*bundle.manifest.self_tests, test)))
    with pytest.raises(BundleError, match="self-test 5 fails: number 0 is"):
        Encoder.open(copy)


def test_a_graph_with_changed_weights_fails_its_self_tests(copy: Path) -> None:
    model = bytearray((copy / "model.onnx").read_bytes())
    at = model.rindex(b"encoder.layer.5.output.dense.values")
    weights = slice(at + 1000, at + 400_000)
    model[weights] = bytes(reversed(model[weights]))
    remake(copy, "model.onnx", bytes(model))
    with pytest.raises(BundleError, match=r"self-test \d fails"):
        Encoder.open(copy)


def test_a_changed_byte_is_found_before_anything_is_loaded(copy: Path) -> None:
    model = bytearray((copy / "model.onnx").read_bytes())
    model[len(model) // 2] ^= 1
    (copy / "model.onnx").write_bytes(model)
    with pytest.raises(BundleError, match=r"model\.onnx: .*changed or damaged"):
        Encoder.open(copy)


@pytest.mark.parametrize(
    ("path", "words"), [("model.onnx", "ONNX Runtime cannot load the graph"), ("tokenizer.json", "is no tokenizer")]
)
def test_files_that_are_nonsense_are_named(path: str, words: str, copy: Path) -> None:
    remake(copy, path, b"{}")
    with pytest.raises(BundleError, match=f"{path}: {words}"):
        Encoder.open(copy)


def test_parameters_that_no_encoder_has_are_refused(copy: Path) -> None:
    bundle = Bundle.open(copy)
    write_manifest(copy, msgspec.structs.replace(bundle.manifest, parameters={"model": "model.onnx"}))
    with pytest.raises(BundleError, match=f"{MANIFEST}: has parameters that no encoder has: .*tokenizer"):
        Encoder.open(copy)


def test_tokens_around_a_text_that_leave_no_room_for_it_are_refused(copy: Path) -> None:
    bundle = Bundle.open(copy)
    parameters = bundle.manifest.parameters | {"maxTokens": 8, "prefix": [101] * 7}
    write_manifest(copy, msgspec.structs.replace(bundle.manifest, parameters=parameters))
    with pytest.raises(BundleError, match="has maxTokens 8, which prefix and suffix fill"):
        Encoder.open(copy)


def test_an_encoder_that_cannot_run_is_refused(copy: Path) -> None:
    bundle = Bundle.open(copy)
    parameters = bundle.manifest.parameters | {"prefix": [10**6]}
    write_manifest(copy, msgspec.structs.replace(bundle.manifest, parameters=parameters))
    with pytest.raises(BundleError, match="self-test 1 fails: the model cannot answer"):
        Encoder.open(copy)


def test_bundles_and_stores_can_be_handled_without_what_runs_models() -> None:
    program = (
        "import sys; import fairlead_learning.bundles.store, fairlead_learning.bundles.signature;"
        "loaded = {'numpy', 'onnxruntime', 'tokenizers', 'cryptography'} & sys.modules.keys();"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
