"""buildah with layers of its own in the cache: what a user keeps elsewhere is neither read nor changed, no mount is left."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devcluster.images.base import Base
from devcluster.images.host import cache, run, say

_MOST_BYTES = 6 * 10**9
"""Layers that no image needs any more are not told from others that speed up the next build: all go when they are too many."""
_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}
"""The only images that it meets were made here, or named by whoever calls it."""


@dataclass(frozen=True, slots=True)
class Buildah:
    """Runs it. Use :func:`open_buildah`."""

    layers: Path
    scratch: Path

    def add_base(self, base: Base) -> str:
        """The name of an image of one layer."""
        name = f"localhost/base:{base.digest[:16]}"
        if self._has(name):
            return name
        recipe = self.scratch / "Dockerfile.base"
        recipe.write_text(f"FROM scratch\nADD {base.archive.name} /\n")
        self.build(name, recipe, base.archive.parent, seconds=0)
        return name

    def build(
        self,
        name: str,
        recipe: Path,
        context: Path,
        *,
        seconds: int,
        arguments: Mapping[str, str] | None = None,
        contexts: Mapping[str, Path] | None = None,
        pull: bool = False,
    ) -> None:
        """Build ``recipe``; all times in the image are ``seconds`` since 1970. Raises ``ImageFailed``."""
        command: list[str | Path] = ["build", "--isolation", "chroot", "--layers", "--format", "oci"]
        command += ["--pull" if pull else "--pull-never", "--timestamp", str(seconds), "--tag", name, "--file", recipe]
        command += ["--signature-policy", self._policy()]
        for key, value in (arguments or {}).items():
            command += ["--build-arg", f"{key}={value}"]
        for key, folder in (contexts or {}).items():
            command += ["--build-context", f"{key}={folder}"]
        self._run([*command, context], log=self.layers.parent / "build.log")

    def export(self, name: str, archive: Path) -> None:
        """Write the image as `docker save` does. Raises ``ImageFailed``."""
        draft = self.scratch / "image.tar"
        self._run(["push", "--quiet", "--signature-policy", self._policy(), name, f"docker-archive:{draft}:{name}"])
        archive.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(archive)

    def layer_count(self, name: str) -> int:
        """How many layers an image has. Raises ``ImageFailed``."""
        said = json.loads(self._run(["inspect", "--type", "image", name]))
        return len(said["OCIv1"]["rootfs"]["diff_ids"])

    def _has(self, name: str) -> bool:
        return name in self._run(["images", "--format", "{{.Name}}:{{.Tag}}"]).split()

    def _policy(self) -> Path:
        path = self.scratch / "policy.json"
        path.write_text(json.dumps(_POLICY))
        return path

    def _run(self, command: Sequence[str | Path], log: Path | None = None) -> str:
        places: list[str | Path] = ["--root", self.layers, "--runroot", self.scratch / "run"]
        driver = os.environ.get("STORAGE_DRIVER") or "overlay"
        return run(["buildah", *places, "--storage-driver", driver, *command], private_mounts=True, log=log)


@contextmanager
def open_buildah() -> Iterator[Buildah]:
    """What it keeps between two builds are layers; the rest ends with the block. Take ``one_at_a_time`` before."""
    layers = cache() / "layers"
    if layers.exists() and _bytes_in(layers) > _MOST_BYTES:
        say(f"removing the layers of earlier builds, more than {_MOST_BYTES / 1e9:.0f} GB")
        shutil.rmtree(layers)
    layers.mkdir(parents=True, exist_ok=True)
    for left_by_a_killed_build in layers.parent.glob(".building-*"):
        shutil.rmtree(left_by_a_killed_build)
    with tempfile.TemporaryDirectory(dir=layers.parent, prefix=".building-") as scratch:
        yield Buildah(layers, Path(scratch))


def _bytes_in(folder: Path) -> int:
    return int(run(["du", "-s", "--block-size=1", folder]).split()[0])
