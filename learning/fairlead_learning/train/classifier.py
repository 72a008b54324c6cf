"""``fairlead train classifier``: labelled prompts in, a bundle out.

The encoder is fine-tuned with a linear head, n-grams get a head of their own, rows that neither was fitted to weigh the two
and calibrate the sum. The same rows, seed and packages give the same bytes on processors of one instruction set; the
instructions are held to AVX2 for that.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairlead_learning.bundles.manifest import SCHEMA_VERSION, BundleKind, Manifest, Origin, SelfTest
from fairlead_learning.bundles.write import listed, refuse_foreign, refuse_version, write_bundle
from fairlead_learning.categories import CATEGORIES
from fairlead_learning.encoder.parameters import EncoderParameters
from fairlead_learning.encoder.runtime import Encoder
from fairlead_learning.encoder.tokens import Tokens
from fairlead_learning.head.combine import Floats, combined
from fairlead_learning.head.lexical import BUCKETS
from fairlead_learning.head.parameters import HeadParameters
from fairlead_learning.learned import LOGITS, lexical_scores
from fairlead_learning.train.rows import Row, RowError, digest_of, read_rows, split_rows

AUTHORED = Path(__file__).parent / "data" / "authored.jsonl"
"""Prompts written for this project: of the kinds that public benchmarks have none of."""
AUTHORED_WEIGHT = 0.6
"""Against a row of the data: they are many more kinds and fewer of each."""
DEFAULT_MODEL = "all-MiniLM-L6-v2"
MAX_TOKENS = 128
_MODEL, _TOKENIZER, _NOTICE = "model.onnx", "tokenizer.json", "NOTICE.txt"
_LEXICAL, _BIASES, _CONFORMAL = "lexical_weights.npy", "lexical_biases.npy", "conformal_scores.npy"
_PATHS = (_MODEL, _TOKENIZER, _NOTICE, _LEXICAL, _BIASES, _CONFORMAL)
_ENOUGH = 20
"""Rows that calibrating needs at the least."""
_SELF_TESTS = (
    "",
    "Write a Python function that merges two sorted lists.",
    "Write a poem about the first snow of the year.",
    "Classify each of these as fruit or vegetable: apple, leek, plum, carrot.",
    "Solve for x: 3x + 7 = 22.",
    "When was the Treaty of Westphalia signed?",
    "hi there, how are you today?",
    "Set an alarm for seven tomorrow morning.",
)
_SELF_TEST_TOLERANCE = 0.05
_SAME_INSTRUCTIONS = {"MKL_CBWR": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


@dataclass(frozen=True, slots=True)
class Options:
    """What to train from, and where to write."""

    data: Sequence[Path]
    out: Path
    seed: int = 1
    version: str = "1"
    epochs: int = 3
    encoder: str = DEFAULT_MODEL
    """What to tune: this, or a BERT model that sentence-transformers loads."""
    authored: bool = True
    """Whether the prompts that come with the package are learned from as well."""


def train_classifier(options: Options, report: Callable[[str], None]) -> dict[str, Any]:
    """Train and write the bundle. Returns what is printed: counts, calibration, and how calibration rows fared.

    ``report`` is told of progress. Raises :class:`RowError`, :class:`BundleError`, and ``ModuleNotFoundError`` without the
    extra ``train``.
    """
    # What would be refused in the end is refused before a quarter of an hour of work.
    refuse_version(options.out, options.version)
    refuse_foreign(options.out, _PATHS)
    # Read by their libraries when these are loaded, so before anything imports PyTorch.
    os.environ.update(_SAME_INSTRUCTIONS)
    rows, weights, calibration, labels = _rows(options)
    report(f"{len(rows)} rows to learn from, {len(calibration)} to calibrate with, {len(labels)} categories")
    contents, encoder_parameters, licence = _fit_encoder(rows, weights, labels, options, report)
    tokens = Tokens(contents[_TOKENIZER].decode(), encoder_parameters)
    encoder = Encoder(tokens, contents[_MODEL], encoder_parameters, digest="", threads=1)
    report("fitting the n-grams")
    folded, biases = _fit_lexical(rows, weights, labels)
    report("calibrating")

    def scores(texts: Sequence[str]) -> tuple[Floats, Floats]:
        return encoder.run(texts, (LOGITS,))[LOGITS].astype(np.float64), lexical_scores(texts, folded, biases)

    from fairlead_learning.train.calibrate import calibrate

    halves = scores([row.text for row in calibration])
    right = np.array([labels.index(row.label) for row in calibration])
    found = calibrate(*halves, right)
    probabilities = combined(*halves, lexical_weight=found.lexical_weight, temperature=found.temperature)
    of_right = np.sort(probabilities[np.arange(len(right)), right]).astype(np.float32)
    contents |= {_LEXICAL: _npy(folded), _BIASES: _npy(biases), _CONFORMAL: _npy(of_right)}
    metrics = {
        "calibrationRows": len(calibration),
        "calibrationAccuracy": round(float((probabilities.argmax(axis=1) == right).mean()), 4),
    }
    parameters = HeadParameters(
        base_model=options.encoder,
        encoder=encoder_parameters,
        lexical_weights=_LEXICAL,
        lexical_biases=_BIASES,
        conformal_scores=_CONFORMAL,
        buckets=BUCKETS,
        lexical_weight=found.lexical_weight,
        temperature=found.temperature,
    )
    tests = combined(*scores(_SELF_TESTS), lexical_weight=found.lexical_weight, temperature=found.temperature)
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        kind=BundleKind.CLASSIFIER,
        name="hybrid",
        version=options.version,
        licence=licence,
        origin=_origin(options),
        parameters=msgspec.to_builtins(parameters),
        labels=labels,
        metrics=metrics,
        files=listed(contents),
        self_tests=_self_tests(tests, labels),
    )
    bundle = write_bundle(options.out, manifest, contents)
    return {
        "bundle": str(options.out),
        "digest": bundle.digest,
        "rows": len(rows),
        "labels": list(labels),
        "lexical_weight": found.lexical_weight,
        "temperature": found.temperature,
        "calibration_rows": len(calibration),
        "calibration_accuracy": metrics["calibrationAccuracy"],
    }


def _rows(options: Options) -> tuple[list[Row], list[float], list[Row], tuple[str, ...]]:
    """Rows to learn from with their weights, rows to calibrate with, and the labels. Raises :class:`RowError`."""
    names = [file.name for file in _files(options)]
    if len({*names}) < len(names):
        raise RowError(
            f"two files are named {max(names, key=names.count)}; the bundle tells files by name, so rename one"
        )
    given = read_rows(options.data)
    rows, calibration = split_rows(given)
    labels = _labels(rows)
    calibration = [row for row in calibration if row.label in labels]
    if len(calibration) < _ENOUGH:
        raise RowError(
            f"{len(calibration)} rows are left to calibrate with, and {_ENOUGH} are needed; give more rows,"
            ' or mark some with "split": "dev"'
        )
    weights = [1.0] * len(rows)
    if options.authored:
        known = {row.text for row in given}
        authored = [row for row in read_rows([AUTHORED]) if row.label in labels and row.text not in known]
        rows = rows + authored
        weights += [AUTHORED_WEIGHT] * len(authored)
    return rows, weights, calibration, labels


def _labels(rows: Sequence[Row]) -> tuple[str, ...]:
    """The default categories that occur, in their order, then others by name. Raises :class:`RowError` for fewer than two."""
    found = {row.label for row in rows}
    if len(found) < 2:
        raise RowError(
            f"the rows have the label {', '.join(found) or 'of nothing'} alone; give rows of at least two categories"
        )
    return (*(label for label in CATEGORIES if label in found), *sorted(found - set(CATEGORIES)))


def _fit_encoder(
    rows: Sequence[Row],
    weights: Sequence[float],
    labels: tuple[str, ...],
    options: Options,
    report: Callable[[str], None],
) -> tuple[dict[str, bytes], EncoderParameters, str]:
    """Files of the tuned encoder with its head, how to use them, and their licence."""
    from transformers import BertConfig, BertModel

    from fairlead_learning.train.bert.export import LinearHead, bert_graph
    from fairlead_learning.train.encoder import load
    from fairlead_learning.train.tune import Example, Recipe, tune

    source = load(options.encoder)
    model = BertModel(BertConfig.from_dict(source.config))
    _load_state(model, source.state)
    parameters = EncoderParameters(
        model=_MODEL,
        tokenizer=_TOKENIZER,
        dimensions=int(source.config["hidden_size"]),
        max_tokens=MAX_TOKENS,
        prefix=source.prefix,
        suffix=source.suffix,
    )
    tuned = tune(
        model,
        Tokens(source.tokenizer, parameters).of,
        [Example(row.text, labels.index(row.label), weight) for row, weight in zip(rows, weights, strict=True)],
        len(labels),
        recipe=Recipe(epochs=options.epochs),
        seed=options.seed,
        report=report,
    )
    graph = bert_graph(
        tuned.state,
        source.config,
        max_tokens=MAX_TOKENS,
        pooling=source.pooling,
        heads=(LinearHead(LOGITS, tuned.head_weight, tuned.head_bias),),
    )
    notice = (
        f"Encoder: fine-tuned from {source.name}, licence: {source.licence}; weights rounded to 8 bits, "
        "written as an ONNX graph.\n"
        "Prompts it was fine-tuned on: see the origin in manifest.json; "
        "sources and licences in learning/data/LICENCES.md of fairlead.\n"
    )
    return {_MODEL: graph, _TOKENIZER: source.tokenizer.encode(), _NOTICE: notice.encode()}, parameters, source.licence


def _load_state(model: Any, state: dict[str, NDArray[np.float32]]) -> None:
    import torch

    missing, unexpected = model.load_state_dict(
        {name: torch.tensor(value) for name, value in state.items()}, strict=False
    )
    assert not [name for name in missing if not name.endswith("position_ids")], missing
    assert not unexpected, unexpected


def _fit_lexical(
    rows: Sequence[Row], weights: Sequence[float], labels: tuple[str, ...]
) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
    from fairlead_learning.train.lexical_head import fit_lexical

    return fit_lexical([row.text for row in rows], [labels.index(row.label) for row in rows], weights, len(labels))


def _origin(options: Options) -> Origin:
    data = {file.name: digest_of(file) for file in _files(options)}
    return Origin(command=_command(options), data=data, seed=options.seed)


def _files(options: Options) -> list[Path]:
    return [*options.data, *([AUTHORED] if options.authored else [])]


def _self_tests(rows: Floats, labels: tuple[str, ...]) -> tuple[SelfTest, ...]:
    return tuple(
        SelfTest(
            text=text,
            label=labels[int(row.argmax())],
            expected=tuple(round(float(value), 4) for value in row),
            tolerance=_SELF_TEST_TOLERANCE,
        )
        for text, row in zip(_SELF_TESTS, rows, strict=True)
    )


def _npy(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _command(options: Options) -> str:
    words = ["fairlead train classifier --data", *(file.name for file in options.data), f"--seed {options.seed}"]
    words.append(f"--version {options.version} --epochs {options.epochs}")
    if options.encoder != DEFAULT_MODEL:
        words.append(f"--encoder {Path(options.encoder).name}")
    if not options.authored:
        words.append("--without-authored")
    return " ".join(words)
