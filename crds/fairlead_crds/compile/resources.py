"""What goes into a compilation: plain data, gathered by whoever watches (an API server or a folder)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead_contract.snapshot import MAX_COMPRESSED_BYTES


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace as far as tenancy needs it."""

    name: str
    uid: str = ""
    created_at: int = 0
    """Unix seconds."""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecretVersions:
    """A Secret without its values: which keys it has, and an opaque version of each that changes with the value."""

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything that is declared, in no particular order.

    ``objects`` are raw objects of our kinds as JSON data. Each has ``metadata.uid`` and ``metadata.generation``: two
    objects with equal (uid, generation) are taken to have equal specs, which is what makes memoisation sound;
    for the same reason a mapping that was handed in once must not be changed afterwards.
    A namespace that holds an object but is not listed counts as one without labels, annotations and age.
    """

    objects: tuple[Mapping[str, Any], ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    secrets: tuple[SecretVersions, ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """What the installation decides about compilation."""

    platform_namespaces: frozenset[str] = frozenset({"fairlead-system"})
    """May claim any workspace, and may set precedence Override and Default."""
    default_namespace: str | None = None
    """Owns the workspaces that nobody claims; ``None`` leaves them without an owner."""
    compiler_version: str = "0.1.0"
    max_compressed_bytes: int = MAX_COMPRESSED_BYTES
    """A larger snapshot is not published: the one before stays, less what was withdrawn, and what was edited says so."""
    heed_pauses: bool = True
    """``False`` looks at what is written even if it is paused: for a check of files, which have no generation in force."""
