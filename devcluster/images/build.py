"""Fairlead's image as an archive, built unless it is there."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from devcluster.images.base import find_base
from devcluster.images.buildah import Buildah, open_buildah
from devcluster.images.context import context_tag, origin
from devcluster.images.host import ROOT, cache, one_at_a_time, prepare, say
from devcluster.images.wheels import find_wheels

_KEPT = 3
"""Archives of each name; older ones are removed when one is added."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image in an archive."""

    name: str
    """With its tag."""
    archive: str
    base_layers: int
    """How many of its layers, the first ones, are those of the base."""


def find_image(root: Path = ROOT) -> Image:
    """The image of the tree as it is, built if need be: seconds, and four minutes the first time. Raises ``ImageFailed``.

    ``FAIRLEAD_BASE_IMAGE`` names a base in a registry; without it one is made here.
    """
    with one_at_a_time():
        given = os.environ.get("FAIRLEAD_BASE_IMAGE")
        base = None
        if given is None:
            prepare()
            base = find_base()
        name = f"localhost/fairlead:{context_tag(given or (base.digest if base else ''), root)}"
        if (found := kept(name)) is not None:
            return found
        prepare()
        wheels = find_wheels(root)
        source = origin(root)
        say(f"building {name}")
        started = time.monotonic()
        with open_buildah() as buildah:
            below = given if base is None else buildah.add_base(base)
            assert below is not None
            buildah.build(
                name,
                root / "Dockerfile",
                root,
                seconds=source.seconds,
                arguments={"BASE": below, "VERSION": source.version, "REVISION": source.revision},
                contexts={"wheels": wheels},
                pull=base is None,
            )
            image = keep(buildah, name, below)
        say(f"built it in {time.monotonic() - started:.0f} s")
        return image


def kept(name: str) -> Image | None:
    """What is in the cache under that name."""
    archive = _archive(name)
    described = archive.with_suffix(".json")
    if not (described.exists() and archive.exists()):
        return None
    os.utime(described)  # the ones used last are kept
    return Image(**json.loads(described.read_text()))


def keep(buildah: Buildah, name: str, base: str) -> Image:
    """Write an image that was built into the cache. Raises ``ImageFailed``."""
    archive = _archive(name)
    buildah.export(name, archive)
    image = Image(name, str(archive), buildah.layer_count(base))
    archive.with_suffix(".json").write_text(json.dumps(asdict(image)))
    kind = archive.name.partition("_")[0]
    described = sorted(archive.parent.glob(f"{kind}_*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in described[_KEPT:]:
        old.unlink()
        old.with_suffix(".tar").unlink(missing_ok=True)
    return image


def _archive(name: str) -> Path:
    return cache() / "archives" / f"{name.removeprefix('localhost/').replace(':', '_')}.tar"
