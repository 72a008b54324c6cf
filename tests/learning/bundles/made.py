"""Bundles for tests: of kind Encoder, with small files that no encoder could run."""

from pathlib import Path
from typing import Any

import msgspec

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.manifest import SCHEMA_VERSION, BundleKind, Manifest, Origin
from fairlead_learning.bundles.write import listed, write_bundle

CONTENTS = {"model.onnx": b"graph" * 100, "words/tokenizer.json": b"{}"}


def manifest_of(contents: dict[str, bytes] = CONTENTS, **fields: Any) -> Manifest:
    """A manifest for ``contents``; ``fields`` replace its own."""
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        kind=BundleKind.ENCODER,
        name="small",
        version="1",
        licence="CC0-1.0",
        origin=Origin(command="tests"),
        files=listed(contents),
    )
    return msgspec.structs.replace(manifest, **fields)


def make(folder: Path, contents: dict[str, bytes] = CONTENTS, **fields: Any) -> Bundle:
    """A bundle in ``folder``."""
    return write_bundle(folder, manifest_of(contents, **fields), contents)
