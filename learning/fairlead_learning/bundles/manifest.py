"""``manifest.json``: what a bundle is, where it is from, and what its files must be.

The digest of a bundle is the SHA-256 of its manifest in canonical form: JSON with sorted keys, without blanks, without
fields at their default and without the signature. As the manifest has the digests of all files, the digest stands for the
whole; signing a bundle does not change it. On disk the manifest is indented, for people who compare two of them.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Any

import msgspec

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"

# Ended by \Z: $ lets a line feed follow.
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}\Z")]


class BundleKind(StrEnum):
    """What a bundle is used as."""

    ENCODER = "Encoder"
    CLASSIFIER = "Classifier"


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    pass


class File(_Part, frozen=True, kw_only=True):
    """One file of the bundle, other than the manifest."""

    path: str
    """Relative, with forward slashes."""
    size: Annotated[int, msgspec.Meta(ge=0)]
    """Bytes."""
    sha256: Sha256


class Origin(_Part, frozen=True, kw_only=True):
    """What the bundle was made from; who repeats it gets the same files."""

    command: str
    data: dict[str, Sha256] = {}
    """Digests of what was read (weights, prompts), by name."""
    seed: int | None = None


class Features(_Part, frozen=True, kw_only=True):
    """What the model reads, in order. The digest refuses code that would give it something else."""

    names: tuple[str, ...]
    digest: Sha256

    @classmethod
    def of(cls, names: tuple[str, ...]) -> Features:
        """The list with its digest: SHA-256 of the names, each ended by a line feed."""
        return cls(names=names, digest=hashlib.sha256("".join(f"{name}\n" for name in names).encode()).hexdigest())


class SelfTest(_Part, frozen=True, kw_only=True):
    """A text, and what the model must say of it wherever it is loaded."""

    text: str
    label: str | None = None
    expected: tuple[float, ...] = ()
    """An encoder's first numbers, or a classifier's probabilities in the order of the labels; may be shorter than what
    comes."""
    tolerance: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """How far each number may be off: machines add in different orders."""


class Signature(_Part, frozen=True, kw_only=True):
    """Ed25519 over the canonical manifest."""

    key: str
    """First 16 hexadecimal digits of the SHA-256 of the public key's 32 bytes: tells keys apart, proves nothing."""
    value: str
    """Base64."""


class Manifest(_Part, frozen=True, kw_only=True):
    """A bundle's own account of itself."""

    schema_version: int
    kind: BundleKind
    name: Word
    version: Word
    licence: str
    """Of the files, as an SPDX expression where there is one."""
    origin: Origin
    parameters: dict[str, Any] = {}
    """Plain JSON whose shape the kind knows: see for instance ``fairlead_learning.encoder.parameters``."""
    features: Features | None = None
    labels: tuple[str, ...] = ()
    metrics: dict[str, Any] = {}
    """On data that was held out. Plain JSON."""
    files: Annotated[tuple[File, ...], msgspec.Meta(min_length=1)]
    self_tests: tuple[SelfTest, ...] = ()
    signature: Signature | None = None


def canonical(manifest: Manifest) -> bytes:
    """The bytes that are digested and signed."""
    return msgspec.json.encode(msgspec.structs.replace(manifest, signature=None), order="sorted")


def digest(manifest: Manifest) -> str:
    """Of the bundle: 64 hexadecimal digits."""
    return hashlib.sha256(canonical(manifest)).hexdigest()


def encode(manifest: Manifest) -> bytes:
    """What is written as ``manifest.json``."""
    return msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=2) + b"\n"


def decode(text: bytes) -> Manifest:
    """The inverse of :func:`encode`. Raises :class:`msgspec.DecodeError` or :class:`msgspec.ValidationError`."""
    return msgspec.json.decode(text, type=Manifest)
