"""The two images that the cluster itself needs, each with one program that was built here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from devcluster.node.archive import write_archive
from devcluster.node.runtime import ImageStore
from devcluster.node.settings import Place


def image_name(program: Path) -> str:
    """Tagged with the folder that the program was built into, which names its version."""
    return f"localhost/{program.name}:{program.parent.name}"


def load_own_images(place: Place, programs: Mapping[str, Path], store: ImageStore) -> None:
    """pause and coredns, unless they are there."""
    there = store.names()
    for name in ("pause", "coredns"):
        image = image_name(programs[name])
        if image in there:
            continue
        draft = place.folder / f"{name}.tar"
        try:
            store.load(write_archive(draft, image, {f"/{name}": programs[name]}, [f"/{name}"]))
        finally:
            draft.unlink(missing_ok=True)
