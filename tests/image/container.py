"""Runs an image from its archive as a kubelet would: a read-only root, a writable /tmp, no rights, its own user."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.images.weigh import configuration, layers

_WHITEOUT = ".wh."
_PATIENCE_SECONDS = 30.0


def unpack(archive: Path, root: Path) -> None:
    """Lay the layers over each other; a file that a higher one removes is gone."""
    root.chmod(0o755)
    for layer in layers(archive):
        members = layer.getmembers()
        for member in members:
            path = Path(member.name)
            if path.name.startswith(_WHITEOUT):
                gone = root / path.with_name(path.name.removeprefix(_WHITEOUT))
                if gone.is_dir() and not gone.is_symlink():
                    shutil.rmtree(gone)
                else:
                    gone.unlink(missing_ok=True)
        kept = [member for member in members if not Path(member.name).name.startswith(_WHITEOUT)]
        layer.extractall(root, kept, numeric_owner=True, filter="fully_trusted")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """An image whose files lie in ``root``; ``config`` is what `docker inspect` calls Config."""

    root: Path
    config: Mapping[str, Any]


def unpacked(archive: Path, root: Path) -> Unpacked:
    """Unpack it there."""
    unpack(archive, root)
    config: Any = configuration(archive)["config"]
    return Unpacked(root, config)


@dataclass(slots=True)
class Container:
    """One that runs; it shares the network of this machine."""

    process: subprocess.Popen[bytes]
    started: float
    log: Path

    def wait_until(self, happens: Callable[[], bool], what: str) -> float:
        """Seconds since the container was started."""
        while not happens():
            passed = time.monotonic() - self.started
            assert self.process.poll() is None, f"ended before {what}: {self.log.read_text()}"
            assert passed < _PATIENCE_SECONDS, f"waited {passed:.0f} s for {what}: {self.log.read_text()}"
            time.sleep(0.01)
        return time.monotonic() - self.started


@contextmanager
def running(
    image: Unpacked, scratch: Path, *arguments: str, mounts: Mapping[str, Path] | None = None
) -> Iterator[Container]:
    """``arguments`` for the image's entrypoint. Ended with SIGTERM; ``mounts`` (path inside: path here) are read-only."""
    name = f"fairlead-test-{uuid.uuid4().hex[:12]}"
    bundle = scratch / name
    bundle.mkdir()
    (bundle / "config.json").write_text(json.dumps(_specification(image, arguments, mounts or {})))
    log = bundle / "log"
    with log.open("wb") as output:
        started = time.monotonic()
        state = ("--root", str(bundle / "state"))
        process = subprocess.Popen(
            ["runc", *state, "run", "--bundle", str(bundle), name],
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield Container(process, started, log)
    finally:
        if process.poll() is None:
            subprocess.run(["runc", *state, "kill", name, "TERM"], check=False)
            try:
                process.wait(timeout=_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                subprocess.run(["runc", *state, "delete", "--force", name], check=False)
                process.wait()
                raise


def output_of(image: Unpacked, scratch: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and all that it printed, once it has ended by itself."""
    with running(image, scratch, *arguments) as container:
        status = container.process.wait(timeout=_PATIENCE_SECONDS)
        return status, container.log.read_text()


def python_in(image: Unpacked, scratch: Path, code: str) -> tuple[int, str]:
    """As :func:`output_of`, for the image's Python instead of its entrypoint."""
    return output_of(Unpacked(image.root, {**image.config, "Entrypoint": ["python3", "-c"]}), scratch, code)


def answers(url: str, body: object = None) -> Any:
    """The JSON of an answer with status 200, or ``None``."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as response:
            return json.loads(response.read())
    except (urllib.error.URLError, OSError):
        return None


def _specification(image: Unpacked, arguments: Sequence[str], mounts: Mapping[str, Path]) -> dict[str, Any]:
    user, group = (int(part) for part in image.config["User"].split(":"))
    small = {"type": "tmpfs", "source": "tmpfs"}
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": user, "gid": group},
            "args": [*image.config["Entrypoint"], *arguments],
            "env": image.config["Env"],
            "cwd": image.config.get("WorkingDir") or "/",
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "root": {"path": str(image.root), "readonly": True},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", **small, "options": ["nosuid", "mode=755", "size=65536k"]},
            {"destination": "/tmp", **small, "options": ["nosuid", "nodev", "mode=1777"]},
            *(
                {"destination": inside, "type": "bind", "source": str(here), "options": ["rbind", "ro"]}
                for inside, here in mounts.items()
            ),
        ],
        "linux": {"namespaces": [{"type": name} for name in ("pid", "ipc", "uts", "mount")]},
    }
