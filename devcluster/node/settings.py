"""Names, addresses and folders of the cluster. One cluster per machine, hence constants."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NODE_NAME = "fairlead-node"
NODE_BRIDGE = "fairlead-node"
"""Has no ports. It carries the node's address, so that nothing listens where the outside could come in."""
NODE_IP = "10.250.0.1"
POD_BRIDGE = "fairlead-pods"
POD_RANGE = "10.244.0.0/24"
DNS_IP = "10.96.0.10"
"""In the range of Services that the API server is told."""
API_PORT = 6443
KUBELET_PORT = 10250
API_URL = f"https://{NODE_IP}:{API_PORT}"
NETWORK_NAME = "fairlead"
"""Under this name the network plugins keep what they handed out."""


class ClusterFailed(Exception):
    """The cluster cannot be had, or did not do what was waited for; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of the cluster, all of which goes away with it."""

    folder: Path

    @property
    def certificates(self) -> Path:
        """Keys, certificates and the kubeconfig of each part."""
        return self.folder / "pki"

    @property
    def configuration(self) -> Path:
        """Written anew by each ``up``."""
        return self.folder / "etc"

    @property
    def logs(self) -> Path:
        """A file per daemon."""
        return self.folder / "logs"

    @property
    def processes(self) -> Path:
        """A file per daemon that has been started."""
        return self.folder / "run"

    @property
    def kubeconfig(self) -> Path:
        """That of the administrator."""
        return self.folder / "kubeconfig"

    @property
    def containerd_socket(self) -> Path:
        """Where the kubelet and ``ctr`` reach containerd."""
        return self.folder / "containerd" / "containerd.sock"


def default_place(environment: Mapping[str, str] = os.environ) -> Place:
    """``fairlead/cluster`` in ``$XDG_STATE_HOME``, or in ``~/.local/state``."""
    state = environment.get("XDG_STATE_HOME")
    return Place((Path(state) if state else Path.home() / ".local" / "state") / "fairlead" / "cluster")
