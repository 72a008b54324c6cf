"""Programs of other projects, built from the Go modules pinned in ``tools/``, each in a folder of its own.

Go, its module proxy and its checksum database are all that is needed to have exactly the same programs on every machine: no
image, no installer, no download of executables. A build takes minutes, hence the cache, whose key is all that decides what a
build yields.

    python -m devcluster.programs helm promtool     # builds what is missing, prints a path per line; all without names
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devcluster.cache import cache_folder, locked
from devcluster.patience import complete

_TOOLS = Path(__file__).with_name("tools")
_GOARCH = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"}


class ProgramMissing(Exception):
    """A program is not there and cannot be had; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Module:
    """A folder of ``tools/`` with a ``go.mod``, and the programs it yields."""

    packages: Mapping[str, str]
    """The Go package of each program."""
    seconds: int
    """What all of them take together on two cores with nothing in Go's own caches, about."""
    pin: str = ""
    """The required module whose version is stamped in."""
    stamp: Mapping[str, str] = field(default_factory=dict)
    """Go variables, and what each is set to: ``{0}`` is the version of ``pin`` with its ``v``, ``{1}``, ``{2}``, ``{3}`` its
    numbers. The release builds do the same; without it programs report a placeholder."""
    kubernetes: Sequence[str] = ()
    """Go variables that, with ``Major`` and ``Minor`` appended, name the Kubernetes version pinned here."""


_VERSION = "k8s.io/component-base/version."
MODULES: Mapping[str, Module] = {
    "kubernetes": Module(
        packages={
            "etcd": "go.etcd.io/etcd/server/v3",
            **{
                name: f"k8s.io/kubernetes/cmd/{name}"
                for name in (
                    *("kube-apiserver", "kube-controller-manager", "kubectl"),
                    *("kube-scheduler", "kubelet", "kube-proxy"),
                )
            },
        },
        seconds=480,
        pin="k8s.io/kubernetes",
        stamp={f"{_VERSION}gitVersion": "{0}", f"{_VERSION}gitMajor": "{1}", f"{_VERSION}gitMinor": "{2}"},
    ),
    "helm": Module(
        packages={"helm": "helm.sh/helm/v3/cmd/helm"},
        seconds=100,
        pin="helm.sh/helm/v3",
        stamp={"helm.sh/helm/v3/internal/version.version": "{0}"},
        # What `helm template` and `helm lint` believe the cluster to be.
        kubernetes=("helm.sh/helm/v3/pkg/chartutil.k8sVersion", "helm.sh/helm/v3/pkg/lint/rules.k8sVersion"),
    ),
    "coredns": Module(packages={"coredns": "github.com/coredns/coredns"}, seconds=180),
    "promtool": Module(
        packages={"promtool": "github.com/prometheus/prometheus/cmd/promtool"},
        seconds=300,
        pin="github.com/prometheus/prometheus",
        # As a Go module, 3.16.0 is called v0.316.0.
        stamp={"github.com/prometheus/common/version.Version": "{0}"},
    ),
    "kube-router": Module(
        packages={"kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"}, seconds=180
    ),
    "judge": Module(packages={"judge": "."}, seconds=240),
    "pause": Module(packages={"pause": "."}, seconds=5),
    "probe": Module(packages={"probe": "."}, seconds=30),
}


def program(name: str, environment: Mapping[str, str] = os.environ) -> Path:
    """One program, built if need be; see ``programs``."""
    return programs([name], environment)[name]


def programs(names: Sequence[str], environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Where they are, built if need be (minutes, once per machine and version); blocks.

    Raises ``ProgramMissing``, also for a name that no module has.
    """
    found: dict[str, Path] = {}
    for module, wanted in _by_module(names).items():
        folder = cache_folder("programs", environment) / module / _key(module)
        paths = {name: folder / name for name in wanted}
        if not all(path.exists() for path in paths.values()):
            # Workers of one test run start together: one builds, the others wait.
            with locked(folder / ".lock"):
                if missing := [name for name, path in paths.items() if not path.exists()]:
                    _build(module, missing, folder, environment)
        found |= paths
    return {name: found[name] for name in names}


def version(module: str) -> str:
    """What is pinned, with its ``v``."""
    return _pinned(module, rf"{re.escape(MODULES[module].pin)} (v\S+)")[0]


def _by_module(names: Sequence[str]) -> dict[str, list[str]]:
    homes = {name: module for module, content in MODULES.items() for name in content.packages}
    grouped: dict[str, list[str]] = {}
    for name in names:
        if name not in homes:
            raise ProgramMissing(f"There is no program {name!r}; there are {', '.join(sorted(homes))}.")
        grouped.setdefault(homes[name], []).append(name)
    return grouped


def _key(module: str) -> str:
    """Names a build by all that decides what it yields. Go need not be there to find an earlier one."""
    parts = [path.read_bytes() for path in sorted((_TOOLS / module).iterdir())]
    parts += [argument.encode() for argument in (*_flags(module), *_target().values())]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _flags(module: str) -> list[str]:
    linked = ["-s", "-w"]
    content = MODULES[module]
    if content.pin:
        numbers = _pinned(module, rf"{re.escape(content.pin)} (v(\d+)\.(\d+)\.(\d+)\S*)")
        for name, value in content.stamp.items():
            linked += ["-X", f"{name}={value.format(*numbers)}"]
    if content.kubernetes:
        major, minor = version("kubernetes").removeprefix("v").split(".")[:2]
        for name in content.kubernetes:
            linked += ["-X", f"{name}Major={major}", "-X", f"{name}Minor={minor}"]
    return ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", " ".join(linked)]


def _target() -> dict[str, str]:
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _GOARCH:
        raise ProgramMissing(
            f"These programs are built for Linux on {', '.join(_GOARCH)}; this is {sys.platform} on {machine}."
        )
    return {"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": _GOARCH[machine]}


def _pinned(module: str, pattern: str) -> tuple[str, ...]:
    path = _TOOLS / module / "go.mod"
    found = re.search(rf"^\s*(?:require )?{pattern}", path.read_text(), re.MULTILINE)
    assert found, f"{path} has no line like {pattern}"
    return found.groups()


def _build(module: str, names: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    (needed,) = _pinned(module, r"go (\S+)")
    remedy = (
        f"Building them takes Go {needed} or newer (https://go.dev/dl, or golang-go of a recent Debian) and a way to its "
        "module proxy."
    )
    go = shutil.which("go", path=environment.get("PATH"))
    if go is None:
        raise ProgramMissing(f"There is no {', no '.join(names)} in {folder}, and no Go on the PATH. {remedy}")
    content = MODULES[module]
    about = max(5, content.seconds * len(names) // len(content.packages))
    duration = f"{about} seconds" if about < 90 else f"{round(about / 60)} minutes"
    _say(f"building {', '.join(names)} into {folder}: about {duration} on two cores, once")
    for left_by_a_killed_build in folder.glob(".building-*"):
        shutil.rmtree(left_by_a_killed_build)
    # Beside the goal, as a rename is atomic only within a file system; a name is there when its program is complete.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as scratch:
        for name in names:
            built = Path(scratch, name)
            _run_go([go, "build", *_flags(module), "-o", str(built), content.packages[name]], module, name, environment)
            built.rename(folder / name)


def _run_go(command: Sequence[str], module: str, name: str, environment: Mapping[str, str]) -> None:
    started = time.monotonic()
    done = complete(
        command,
        lambda seconds: _say(f"still building {name}, {seconds:.0f} s"),
        environment={**environment, **_target(), "GOWORK": "off"},
        folder=_TOOLS / module,
    )
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-20:])
        raise ProgramMissing(f"Building {name} in {_TOOLS / module} failed. Go said:\n{tail}")
    _say(f"built {name} in {time.monotonic() - started:.0f} s")


def _say(text: str) -> None:
    print(f"programs: {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m devcluster.programs", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all of them unless given")
    try:
        everything = [name for module in MODULES.values() for name in module.packages]
        found = programs(parser.parse_args(arguments).names or everything)
    except ProgramMissing as error:
        _say(str(error))
        return 1
    print(*found.values(), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
