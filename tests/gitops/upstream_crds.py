"""The CRDs of Argo CD and Flux, from the Go modules of their releases; what they say of an example is what counts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devcluster.cache import cache_folder


class CRDsMissing(Exception):
    """A module cannot be had, or is not the one that is pinned; the message says which."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A module, the checksum that Go gives it, and its CRDs."""

    module: str
    version: str
    checksum: str
    crds: tuple[str, ...]


_FLUX = "config/crd/bases/"
PINNED = (
    Pinned(
        "github.com/argoproj/argo-cd/v3",
        "v3.2.12",
        "h1:XbOyqcoPIjMhiP+y05Zi2U+HfG3b2TNfGJgVuK5Y8g0=",
        ("manifests/crds/application-crd.yaml", "manifests/crds/appproject-crd.yaml"),
    ),
    Pinned(
        "github.com/fluxcd/source-controller",
        "v1.8.5",
        "h1:3zKSTGc2FPoZcQ5BjnyOrwdHDWeYqst3uAoZ+c0DG3c=",
        tuple(f"{_FLUX}source.toolkit.fluxcd.io_{plural}.yaml" for plural in ("gitrepositories", "ocirepositories")),
    ),
    Pinned(
        "github.com/fluxcd/kustomize-controller",
        "v1.7.3",
        "h1:SzNnGn/4ObAPEHHleM5U7y/AKxKXph3Vj6ZhteeXw8M=",
        (f"{_FLUX}kustomize.toolkit.fluxcd.io_kustomizations.yaml",),
    ),
    Pinned(
        "github.com/fluxcd/helm-controller",
        "v1.4.0",
        "h1:rkm8rmB6Na7eNc4pJOnvtXEaJ19iKluRtayHKjBxcUM=",
        (f"{_FLUX}helm.toolkit.fluxcd.io_helmreleases.yaml",),
    ),
)


def upstream_crds() -> list[Path]:
    """Files, fetched once per version. Raises ``CRDsMissing``."""
    return [path for pinned in PINNED for path in _files(pinned)]


def _files(pinned: Pinned) -> list[Path]:
    folder = cache_folder("gitops") / "crds" / f"{pinned.module.replace('/', '_')}@{pinned.version}"
    paths = [folder / Path(name).name for name in pinned.crds]
    if all(path.exists() for path in paths):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    source = _downloaded(pinned, folder)
    for name, path in zip(pinned.crds, paths, strict=True):
        unfinished = path.with_suffix(f".{os.getpid()}")  # several test processes may come here together
        shutil.copyfile(source / name, unfinished)
        unfinished.rename(path)
    return paths


def _downloaded(pinned: Pinned, folder: Path) -> Path:
    """Asked for in ``folder``, as a module around would have a say in it."""
    wanted = f"{pinned.module}@{pinned.version}"
    command = ["go", "mod", "download", "-json", wanted]
    variables = {**os.environ, "GOWORK": "off", "GOFLAGS": "-mod=mod"}
    try:
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CRDsMissing(f"{wanted} is fetched with Go, which is not on the PATH.") from None
    said = json.loads(done.stdout or "{}")
    if "Dir" not in said:
        raise CRDsMissing(f"{wanted}: {said.get('Error') or done.stderr.strip()}")
    if said["Sum"] != pinned.checksum:
        raise CRDsMissing(f"{wanted} has the checksum {said['Sum']}, not {pinned.checksum}.")
    return Path(said["Dir"])
