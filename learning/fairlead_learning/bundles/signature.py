"""Ed25519 signatures: who made a bundle.

A signature covers the canonical manifest, and with its digests all files. Keys are PEM: ``openssl genpkey -algorithm ed25519``.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.bundles.manifest import MANIFEST, Manifest, Signature, canonical

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class KeyFileError(ValueError):
    """A key that cannot be read. The message names the file and what it must hold."""


def sign(manifest: Manifest, private_key: Path) -> Manifest:
    """The manifest with a signature by the key in the PEM file. Raises :class:`KeyFileError`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyFileError(f"{private_key}: cannot be read as an unencrypted private key in PEM: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{private_key}: is no Ed25519 key; `openssl genpkey -algorithm ed25519` makes one")
    value = base64.b64encode(key.sign(canonical(manifest))).decode()
    return msgspec.structs.replace(manifest, signature=Signature(key=_name(key.public_key()), value=value))


def check_signature(bundle: Bundle, public_key: Path) -> None:
    """Refuse a bundle that the key in the PEM file has not signed. Raises :class:`BundleError` and :class:`KeyFileError`."""
    from cryptography.exceptions import InvalidSignature

    key = _read_public(public_key)
    mend = "use a bundle signed with the key that belongs to it, or name that key"
    signature = bundle.manifest.signature
    if signature is None:
        raise BundleError(bundle.folder, "is not signed", file=MANIFEST, mend=mend)
    try:
        key.verify(base64.b64decode(signature.value, validate=True), canonical(bundle.manifest))
    except (InvalidSignature, ValueError) as error:
        raise BundleError(
            bundle.folder,
            f"the signature, by a key {signature.key}, is not by {public_key} ({_name(key)}), or the manifest was changed",
            file=MANIFEST,
            mend=mend,
        ) from error


def _read_public(path: Path) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise KeyFileError(f"{path}: cannot be read as a public key in PEM: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(
            f"{path}: is no Ed25519 key; `openssl pkey -in PRIVATE -pubout` writes the one of a private key"
        )
    return key


def _name(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]
