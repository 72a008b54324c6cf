"""Image archives in the format of ``docker save``, written and read without a daemon or a registry."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from devcluster.node.settings import ClusterFailed

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_archive(archive: Path, name: str, files: Mapping[str, Path], entrypoint: Sequence[str]) -> Path:
    """An image of one layer with ``files`` (path in the image: path here), executable by all; the same input, the same bytes.

    ``name`` has a tag. Returns ``archive``.
    """
    layer = _layer(files)
    digest = hashlib.sha256(layer).hexdigest()
    machine = platform.machine()
    config = json.dumps(
        {
            "architecture": _ARCHITECTURES.get(machine, machine),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {"Entrypoint": list(entrypoint), "WorkingDir": "/", "Env": ["PATH=/"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        },
        sort_keys=True,
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    layer_name = f"{digest}/layer.tar"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [layer_name]}]
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, layer_name, layer)
        _add(tar, config_name, config)
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    return archive


def read_archive(archive: Path) -> dict[str, str]:
    """Each name in an archive, and the digest of its image's configuration, which lists the digests of all its layers.

    Raises ``ClusterFailed`` for a file that is no image archive.
    """
    try:
        with tarfile.open(archive) as tar:
            manifest = json.loads(_content(tar, "manifest.json"))
            return {
                tag: hashlib.sha256(_content(tar, image["Config"])).hexdigest()
                for image in manifest
                for tag in image["RepoTags"] or ()
            }
    except FileNotFoundError:
        raise ClusterFailed(f"There is no image archive {archive}.") from None
    except (tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise ClusterFailed(
            f"{archive} is no image archive as `docker save` writes it, with a name for the image: {error}"
        ) from error


def _layer(files: Mapping[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, source in sorted(files.items()):
            _add(tar, path.lstrip("/"), source.read_bytes(), mode=0o755)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(name)
    if member is None:
        raise ValueError(f"{name} is no file in it")
    return member.read()
