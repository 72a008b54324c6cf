"""What Fairlead's image is made of, and the tag that says so."""

from __future__ import annotations

import hashlib
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from devcluster.images.host import ROOT, ImageFailed

_TAG_DIGITS = 16
_SKIPPED = "__pycache__"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the sources come from, for the labels of an image."""

    version: str
    revision: str
    """The commit that last changed something of the image, with ``-changed`` if the tree differs from it; or ``unknown``."""
    seconds: int
    """Of that commit, since 1970: every file of the image has this time, so that no clock is in its digest."""


def context_paths(root: Path = ROOT) -> list[str]:
    """Files and folders that go into a build, as ``.dockerignore`` lists them. Raises ``ImageFailed``."""
    lines = (root / ".dockerignore").read_text().splitlines()
    paths = [line.removeprefix("!").strip("/ ") for line in lines if line.startswith("!")]
    if absent := [path for path in paths if not (root / path).exists()]:
        raise ImageFailed(f".dockerignore lets in {', '.join(absent)}, which {root} does not have.")
    return paths


def context_files(root: Path = ROOT) -> Iterator[Path]:
    """Each file, in order, the Dockerfile among them."""
    yield root / ".dockerignore"
    yield root / "Dockerfile"
    for path in sorted(context_paths(root)):
        if (root / path).is_file():
            yield root / path
            continue
        for file in sorted((root / path).rglob("*")):
            if file.is_file() and _SKIPPED not in file.parts:
                yield file


def context_tag(base: str, root: Path = ROOT) -> str:
    """A digest of every file that goes in, with its name, and of what says which base that is."""
    digest = hashlib.sha256(base.encode())
    for file in context_files(root):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"\0{file.relative_to(root)}\0{content}".encode())
    return digest.hexdigest()[:_TAG_DIGITS]


def origin(root: Path = ROOT) -> Origin:
    """From pyproject.toml, and from git if there is a repository."""
    version = str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])
    paths = ["Dockerfile", ".dockerignore", *context_paths(root)]
    said = _git(root, "log", "-1", "--format=%H %ct", "--", *paths).split()
    if len(said) != len(("revision", "seconds")):
        return Origin(version, "unknown", 0)
    changed = _git(root, "status", "--porcelain", "--", *paths)
    return Origin(version, said[0] + ("-changed" if changed else ""), int(said[1]))


def _git(root: Path, *arguments: str) -> str:
    """What it prints; nothing where there is no git or no repository."""
    try:
        done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""
