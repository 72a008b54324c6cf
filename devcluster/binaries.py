"""Where the programs of the control plane come from: a folder of envtest, or a build of the versions in ``tools/go.mod``.

Kubernetes and etcd are Go modules, so Go, its module proxy and its checksum database are all that is needed to have exactly the
same programs on every machine: no image, no installer, no download of executables. The build takes minutes, hence the cache.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TOOLS = Path(__file__).with_name("tools")
_PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
}
_IN_ENVTEST = ("etcd", "kube-apiserver", "kubectl")
_GOARCH = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"}


class BinariesMissing(Exception):
    """The programs are not there and cannot be built; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """Paths of the four programs."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kubectl: Path


def find_binaries(environment: Mapping[str, str] = os.environ) -> Binaries:
    """The programs, built if need be (minutes, once per machine); blocks, so call it in a thread when a loop runs.

    ``KUBEBUILDER_ASSETS`` names a folder of envtest. It has no kube-controller-manager, which is then built; the folder should
    be of the minor version in ``tools/go.mod``, since a controller manager must not be newer than its API server.

    Raises ``BinariesMissing``.
    """
    assets = environment.get("KUBEBUILDER_ASSETS")
    given = _given(Path(assets)) if assets else {}
    built = _built([name for name in _PACKAGES if name not in given], environment)
    paths = given | built
    return Binaries(paths["etcd"], paths["kube-apiserver"], paths["kube-controller-manager"], paths["kubectl"])


def _given(assets: Path) -> dict[str, Path]:
    found = {name: assets / name for name in _PACKAGES if os.access(assets / name, os.X_OK)}
    if missing := [name for name in _IN_ENVTEST if name not in found]:
        raise BinariesMissing(
            f"KUBEBUILDER_ASSETS is {assets}, where there is no executable {' and no '.join(missing)}. "
            "Let it name a folder made by setup-envtest, or unset it to have the programs built with Go."
        )
    return found


def _built(names: Sequence[str], environment: Mapping[str, str]) -> dict[str, Path]:
    folder = _cache(environment) / _key()
    paths = {name: folder / name for name in names}
    if all(path.exists() for path in paths.values()):
        return paths
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock"):
        if missing := [name for name, path in paths.items() if not path.exists()]:
            _build(missing, folder, environment)
    return paths


def _cache(environment: Mapping[str, str]) -> Path:
    cache = environment.get("FAIRLEAD_CACHE") or environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "fairlead" / "control-plane"


def _key() -> str:
    """Names a build by all that decides what it yields. Go need not be there to find an earlier one."""
    parts = [(_TOOLS / name).read_bytes() for name in ("go.mod", "go.sum")]
    parts += [argument.encode() for argument in (*_flags(), *_target().values())]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _flags() -> list[str]:
    """The version is stamped in as the release builds do; without it the programs call themselves ``v0.0.0-master``."""
    full, major, minor = _pinned(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\.\S+)")
    stamp = {"gitVersion": full, "gitMajor": major, "gitMinor": minor}
    values = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamp.items())
    return ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", f"-s -w {values}"]


def _target() -> dict[str, str]:
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _GOARCH:
        raise BinariesMissing(
            f"The control plane runs on Linux on {', '.join(_GOARCH)}; this is {sys.platform} on {machine}."
        )
    return {"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": _GOARCH[machine]}


def _pinned(pattern: str) -> tuple[str, ...]:
    found = re.search(rf"^\s*{pattern}", (_TOOLS / "go.mod").read_text(), re.MULTILINE)
    assert found, f"{_TOOLS / 'go.mod'} has no line like {pattern}"
    return found.groups()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Workers of one test run start together: one builds, the others wait. The kernel frees the lock of a builder that dies."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(names: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    (version,) = _pinned(r"go (\S+)")
    remedy = (
        f"Building them takes Go {version} or newer (https://go.dev/dl, or golang-go of a recent Debian) and a way to its "
        f"module proxy. Or let KUBEBUILDER_ASSETS name a folder that holds {', '.join(_PACKAGES)}."
    )
    go = shutil.which("go", path=environment.get("PATH"))
    if go is None:
        raise BinariesMissing(f"There is no {', no '.join(names)} in {folder}, and no Go on the PATH. {remedy}")
    _say(f"building {', '.join(names)} into {folder}: about five minutes on two cores, once")
    for left_by_a_killed_build in folder.glob(".building-*"):
        shutil.rmtree(left_by_a_killed_build)
    # Beside the goal, as a rename is atomic only within a file system; a name is there when its program is complete.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as scratch:
        for name in names:
            _say(f"building {name}")
            built = Path(scratch, name)
            command = [go, "build", *_flags(), "-o", str(built), _PACKAGES[name]]
            variables = {**environment, **_target(), "GOWORK": "off"}
            done = subprocess.run(command, cwd=_TOOLS, env=variables, capture_output=True, text=True, check=False)
            if done.returncode:
                tail = "\n".join(done.stderr.splitlines()[-20:])
                raise BinariesMissing(f"Building {name} in {_TOOLS} failed. {remedy} Go said:\n{tail}")
            built.rename(folder / name)


def _say(text: str) -> None:
    print(f"control plane: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Find or build, and print the folder (two, where envtest's is completed)."""
    try:
        binaries = find_binaries()
    except BinariesMissing as error:
        _say(str(error))
        return 1
    for folder in sorted({path.parent for path in (binaries.etcd, binaries.kube_controller_manager)}):
        print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
