"""Where the programs of the control plane come from: a folder of envtest, or a build of the pinned versions."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devcluster.programs import ProgramMissing, programs

_NEEDED = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
_IN_ENVTEST = ("etcd", "kube-apiserver", "kubectl")


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
    be of the minor version in ``tools/kubernetes/go.mod``, since a controller manager must not be newer than its API server.

    Raises ``ProgramMissing``.
    """
    assets = environment.get("KUBEBUILDER_ASSETS")
    given = _given(Path(assets)) if assets else {}
    try:
        paths = given | programs([name for name in _NEEDED if name not in given], environment)
    except ProgramMissing as error:
        raise ProgramMissing(
            f"{error} Or let KUBEBUILDER_ASSETS name a folder that holds {', '.join(_NEEDED)}."
        ) from error
    return Binaries(paths["etcd"], paths["kube-apiserver"], paths["kube-controller-manager"], paths["kubectl"])


def _given(assets: Path) -> dict[str, Path]:
    found = {name: assets / name for name in _NEEDED if os.access(assets / name, os.X_OK)}
    if missing := [name for name in _IN_ENVTEST if name not in found]:
        raise ProgramMissing(
            f"KUBEBUILDER_ASSETS is {assets}, where there is no executable {' and no '.join(missing)}. "
            "Let it name a folder made by setup-envtest, or unset it to have the programs built with Go."
        )
    return found


def main() -> int:
    """Find or build, and print the folder (two, where envtest's is completed)."""
    try:
        binaries = find_binaries()
    except ProgramMissing as error:
        print(f"control plane: {error}", file=sys.stderr, flush=True)
        return 1
    for folder in sorted({path.parent for path in (binaries.etcd, binaries.kube_controller_manager)}):
        print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
