"""What each part of an image weighs, read from its archive."""

from __future__ import annotations

import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

_PACKAGES = "opt/fairlead/lib/python3.11/site-packages"
_LEAST_BYTES = 10**6
"""Packages below are put together."""
_BUDGET_BYTES = 500 * 10**6


@dataclass(frozen=True, slots=True)
class Weights:
    """Bytes of files, uncompressed, by part."""

    base: Mapping[str, int]
    added: Mapping[str, int]

    @property
    def base_bytes(self) -> int:
        """What the base has before anything is added."""
        return sum(self.base.values())

    @property
    def added_bytes(self) -> int:
        """What is added to it, and is held to the budget."""
        return sum(self.added.values())


def weigh(archive: Path, base_layers: int) -> Weights:
    """Read all of it, which takes a second or two."""
    base: Counter[str] = Counter()
    added: Counter[str] = Counter()
    for number, layer in enumerate(layers(archive)):
        for member in layer:
            if member.isfile():
                path = PurePosixPath(member.name)
                if number < base_layers:
                    base[_part_of_base(path)] += member.size
                else:
                    added[_part(path)] += member.size
    return Weights(_together(base), _together(added))


def layers(archive: Path) -> Iterator[tarfile.TarFile]:
    """Each layer, from the lowest."""
    with tarfile.open(archive) as outer:
        manifest = json.load(_open(outer, "manifest.json"))
        for name in manifest[0]["Layers"]:
            with tarfile.open(fileobj=_open(outer, name)) as inner:
                yield inner


def configuration(archive: Path) -> Mapping[str, object]:
    """What `docker inspect` shows."""
    with tarfile.open(archive) as outer:
        manifest = json.load(_open(outer, "manifest.json"))
        return cast("Mapping[str, object]", json.load(_open(outer, manifest[0]["Config"])))


def table(weights: Weights) -> str:
    """For a person: megabytes by part, largest first."""
    lines = []
    for title, parts, total in (
        ("base", weights.base, weights.base_bytes),
        (f"added, of at most {_BUDGET_BYTES / 1e6:.0f} MB", weights.added, weights.added_bytes),
    ):
        lines += [
            f"{total / 1e6:8.1f} MB  {title}",
            *(f"{size / 1e6:8.1f}      {name}" for name, size in parts.items()),
        ]
    return "\n".join([*lines, f"{(weights.base_bytes + weights.added_bytes) / 1e6:8.1f} MB  in all"])


def _part(path: PurePosixPath) -> str:
    if not path.is_relative_to(_PACKAGES):
        return "programs and settings"
    inside = path.relative_to(_PACKAGES)
    top = inside.parts[0]
    if "default_bundle" in inside.parts:
        return "fairlead, the classifier's bundle"
    if top.startswith("fairlead"):
        return "fairlead, code"
    # A wheel's libraries and description lie beside its package.
    return re.sub(r"(\.libs|-[^-]+\.dist-info)$", "", top).replace("-", "_").lower()


def _part_of_base(path: PurePosixPath) -> str:
    if re.match(r"usr/(local/)?lib/python3", str(path)):
        return "Python's library"
    return str(PurePosixPath(*path.parts[:2]))


def _together(parts: Counter[str]) -> dict[str, int]:
    large = {name: size for name, size in parts.most_common() if size >= _LEAST_BYTES}
    rest = sum(parts.values()) - sum(large.values())
    return large | ({f"the rest, {len(parts) - len(large)} parts": rest} if rest else {})


def _open(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    member = archive.extractfile(name)
    assert member is not None, f"{name} is no file of the archive"
    return member
