"""The snapshot: everything a router obeys, as one compressed, digested document.

Wire form of a sealed snapshot: the manifest as one line of JSON, a line feed, the zlib-compressed body. The digest is
taken over the *uncompressed* body, so equal content has an equal digest whatever compressed it. ``(epoch, revision)``
stands in the manifest alone: publishing the same content again changes no byte of the body. The body is one JSON document
with each entry on a line of its own, so that a reader may take it in pieces.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Generator
from enum import StrEnum

import msgspec

from fairlead_contract.fragments import AnyFragment
from fairlead_contract.steps import run_to_end

SCHEMA_VERSION = 1
"""Version of the body that this code writes. Readers accept this one and the one before (DESIGN, version skew)."""

SUPPORTED_SCHEMA_VERSIONS = frozenset({SCHEMA_VERSION, SCHEMA_VERSION - 1}) - {0}

MAX_COMPRESSED_BYTES = 700 * 1024
"""Budget of a published snapshot: a ConfigMap holds 1 MiB after base64, which costs a third."""

MAX_BODY_BYTES = 64 * 1024 * 1024
"""A body larger than this is refused before it is unpacked in full."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises on bytes that are not the JSON it was asked for."""

_FAST, _SMALL = 1, 9
"""zlib levels. A snapshot far below the budget is compressed fast; one near it as small as it gets."""


Version = tuple[int, int]
"""(epoch, revision) of a snapshot; they grow together in this order."""


class RejectReason(StrEnum):
    """Why a snapshot was refused. The running table stays."""

    MALFORMED = "Malformed"
    DIGEST_MISMATCH = "DigestMismatch"
    SCHEMA_UNSUPPORTED = "SchemaUnsupported"
    TOO_LARGE = "TooLarge"
    STALE = "Stale"


class SnapshotRejected(Exception):
    """A snapshot that must not be loaded, with the reason in the words of the metric and of the status."""

    def __init__(self, reason: RejectReason, message: str) -> None:
        super().__init__(f"{reason.value}: {message}")
        self.reason = reason
        self.message = message


class Entry(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One object in the index: who it is, the digest of its fragment, and the fragment as canonical JSON."""

    kind: str
    namespace: str
    name: str
    uid: str
    generation: int
    digest: str
    fragment: msgspec.Raw


class Body(msgspec.Struct, frozen=True, rename="camel"):
    """The digested part: entries sorted by (kind, namespace, name)."""

    schema_version: int
    compiler_version: str
    entries: list[Entry]


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """What is known of a snapshot before it is unpacked."""

    schema_version: int
    compiler_version: str
    epoch: int
    revision: int
    digest: str
    body_bytes: int

    @property
    def version(self) -> Version:
        """Orders snapshots: the highest valid one wins."""
        return (self.epoch, self.revision)


class Sealed(msgspec.Struct, frozen=True):
    """A snapshot ready for a wire: manifest and compressed body."""

    manifest: Manifest
    payload: bytes

    def to_bytes(self) -> bytes:
        """The wire form described at the top of this module."""
        return msgspec.json.encode(self.manifest) + b"\n" + self.payload

    @classmethod
    def from_bytes(cls, data: bytes) -> Sealed:
        """Split the wire form. Raises :class:`SnapshotRejected` if it is not one."""
        head, newline, payload = data.partition(b"\n")
        if not newline:
            raise SnapshotRejected(RejectReason.MALFORMED, "no manifest line: the document is empty or cut short")
        try:
            manifest = msgspec.json.decode(head, type=Manifest)
        except _UNREADABLE as error:
            raise SnapshotRejected(RejectReason.MALFORMED, f"the manifest cannot be read: {error}") from error
        return cls(manifest, payload)


_FRAGMENT_ENCODER = msgspec.json.Encoder(order="deterministic")
_FRAGMENT_DECODER: msgspec.json.Decoder[AnyFragment] = msgspec.json.Decoder(AnyFragment)
_ENTRY_ENCODER = msgspec.json.Encoder()
_BODY_DECODER = msgspec.json.Decoder(Body)
_ENTRIES_DECODER = msgspec.json.Decoder(list[Entry])

_HEAD_END, _BODY_END = b'"entries":[', b"\n]}"
_PIECE_BYTES = 32 * 1024
"""Read between two yields: a few dozen entries, in less than a tenth of a millisecond."""


def fragment_digest(data: bytes) -> str:
    """128 bits of SHA-256 in hexadecimal: enough against accident, half the bytes of an incompressible column."""
    return hashlib.sha256(data).hexdigest()[:32]


def encode_fragment(fragment: AnyFragment) -> bytes:
    """Canonical JSON: fields in declaration order, keys of maps sorted, defaults left out, no spaces."""
    return _FRAGMENT_ENCODER.encode(fragment)


def decode_fragment(data: bytes | msgspec.Raw) -> AnyFragment:
    """The inverse of :func:`encode_fragment`. Raises ``msgspec.ValidationError`` on what is no fragment."""
    try:
        return _FRAGMENT_DECODER.decode(data)
    except _UNREADABLE as error:
        raise msgspec.ValidationError(str(error)) from error


def make_entry(fragment: AnyFragment) -> Entry:
    """The index entry of ``fragment``."""
    data = encode_fragment(fragment)
    kind = str(type(fragment).__struct_config__.tag)
    return Entry(
        kind,
        fragment.namespace,
        fragment.name,
        fragment.uid,
        fragment.generation,
        fragment_digest(data),
        msgspec.Raw(data),
    )


def encode_body(entries: list[Entry], compiler_version: str) -> bytes:
    """Order and encode ``entries``: the bytes that the digest is taken over."""
    ordered = sorted(entries, key=lambda entry: (entry.kind, entry.namespace, entry.name))
    shell = msgspec.json.encode(Body(SCHEMA_VERSION, compiler_version, []))
    lines = _ENTRY_ENCODER.encode_lines(ordered).rstrip(b"\n").replace(b"\n", b",\n")
    return shell.removesuffix(b"]}") + b"\n" + lines + _BODY_END


def body_digest(body: bytes) -> str:
    """What the manifest says of the body; cheap beside compression, so compare this first."""
    return "sha256:" + hashlib.sha256(body).hexdigest()


def seal_body(body: bytes, digest: str, *, compiler_version: str, epoch: int, revision: int) -> Sealed:
    """Compress an encoded body under a manifest."""
    manifest = Manifest(SCHEMA_VERSION, compiler_version, epoch, revision, digest, len(body))
    payload = zlib.compress(body, _FAST)
    if len(payload) > 0.7 * MAX_COMPRESSED_BYTES:
        payload = zlib.compress(body, _SMALL)
    return Sealed(manifest, payload)


def seal(entries: list[Entry], *, compiler_version: str, epoch: int, revision: int) -> Sealed:
    """Order, encode, digest and compress ``entries``. Equal input gives equal bytes."""
    body = encode_body(entries, compiler_version)
    return seal_body(body, body_digest(body), compiler_version=compiler_version, epoch=epoch, revision=revision)


def unpack(sealed: Sealed) -> bytes:
    """Unpack the body and check version, size and digest. Raises :class:`SnapshotRejected`.

    Nearly all of its time is spent without the interpreter lock, so a thread is the place for it.
    """
    manifest = sealed.manifest
    if manifest.schema_version not in SUPPORTED_SCHEMA_VERSIONS:
        supported = ", ".join(str(version) for version in sorted(SUPPORTED_SCHEMA_VERSIONS))
        raise SnapshotRejected(
            RejectReason.SCHEMA_UNSUPPORTED,
            f"schema version {manifest.schema_version} is not among those this router reads ({supported}); "
            "upgrade the routers before the operator",
        )
    if manifest.body_bytes < 0:  # as a bound of decompress() it would mean none
        raise SnapshotRejected(RejectReason.MALFORMED, f"the body cannot have {manifest.body_bytes} bytes")
    if manifest.body_bytes > MAX_BODY_BYTES:
        raise SnapshotRejected(
            RejectReason.TOO_LARGE, f"the body says {manifest.body_bytes} bytes, the limit is {MAX_BODY_BYTES}"
        )
    decompressor = zlib.decompressobj()
    try:
        body = decompressor.decompress(sealed.payload, manifest.body_bytes + 1)
    except zlib.error as error:
        raise SnapshotRejected(RejectReason.MALFORMED, f"the body cannot be unpacked: {error}") from error
    if len(body) != manifest.body_bytes or not decompressor.eof or decompressor.unused_data:
        raise SnapshotRejected(RejectReason.MALFORMED, "the body is cut short or longer than its manifest says")
    if body_digest(body) != manifest.digest:
        raise SnapshotRejected(RejectReason.DIGEST_MISMATCH, "the body does not have the digest its manifest names")
    return body


def read_body(manifest: Manifest, body: bytes) -> Generator[None, None, Body]:
    """Read an unpacked body, yielding after every few entries. Raises :class:`SnapshotRejected`."""
    try:
        decoded = yield from _decode_body(body)
    except _UNREADABLE as error:
        raise SnapshotRejected(RejectReason.MALFORMED, f"the body cannot be read: {error}") from error
    if decoded.schema_version != manifest.schema_version:
        raise SnapshotRejected(RejectReason.MALFORMED, "body and manifest name different schema versions")
    return decoded


def unseal(sealed: Sealed) -> Body:
    """Unpack, check and read at once. Raises :class:`SnapshotRejected`."""
    return run_to_end(read_body(sealed.manifest, unpack(sealed)))


def _decode_body(body: bytes) -> Generator[None, None, Body]:
    """Piece by piece if each entry has its line, else at once. Raises what the decoder raises."""
    start, last = body.find(b"\n") + 1, len(body) - len(_BODY_END)
    head = body[: max(0, start - 1)]
    if not head.endswith(_HEAD_END) or not body.endswith(_BODY_END):
        return _BODY_DECODER.decode(body)
    decoded = _BODY_DECODER.decode(head + b"]}")
    while start < last:
        end = body.find(b",\n", min(start + _PIECE_BYTES, last), last)
        end = last if end < 0 else end
        decoded.entries.extend(_ENTRIES_DECODER.decode(b"[" + body[start:end] + b"]"))
        start = end + len(b",\n")
        yield
    return decoded


class Credential(msgspec.Struct, frozen=True, rename="camel"):
    """One secret value on its way to a router. Its representation never shows the value."""

    namespace: str
    name: str
    key: str
    version: str
    value: str

    @property
    def place(self) -> tuple[str, str, str, str]:
        """(namespace, name, key, version): what a ``SecretKey`` of a provider in that namespace refers to."""
        return (self.namespace, self.name, self.key, self.version)

    def __repr__(self) -> str:
        return f"Credential({self.namespace}/{self.name}:{self.key}@{self.version}, [REDACTED])"


class Credentials(msgspec.Struct, frozen=True, rename="camel"):
    """The values that a snapshot's ``SecretKey`` fields refer to; travels beside the snapshot, never in it."""

    entries: tuple[Credential, ...] = ()
