"""containerd with a socket, a state folder and a network of its own, so that another one on the machine is left alone."""

from __future__ import annotations

import json
from pathlib import Path

from devcluster.node.archive import read_archive
from devcluster.node.commands import attempt, run, write_if_new
from devcluster.node.daemons import Daemon
from devcluster.node.packages import find
from devcluster.node.settings import NETWORK_NAME, POD_BRIDGE, POD_RANGE, ClusterFailed, Place

_SNAPSHOTTER = "overlayfs"


def containerd_config(place: Place, plugins: Path, pause_image: str) -> str:
    """TOML.

    A negative OOM score takes CAP_SYS_RESOURCE, which root in a container or a small VM may lack: without
    ``restrict_oom_score_adj`` every pod would fail to start there, in runc, with an error that says nothing of it.
    """
    disabled = [f"io.containerd.snapshotter.v1.{name}" for name in ("aufs", "btrfs", "devmapper", "zfs")]
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = {_quoted(place.folder / "containerd-root")}
state = {_quoted(place.folder / "containerd")}
oom_score = 0
disabled_plugins = {json.dumps(disabled)}

[grpc]
address = {_quoted(place.containerd_socket)}

[plugins."io.containerd.internal.v1.opt"]
path = {_quoted(place.folder / "containerd-opt")}

{cri}]
sandbox_image = {_quoted(pause_image)}
restrict_oom_score_adj = true
disable_apparmor = true
netns_mounts_under_state_dir = true

{cri}.cni]
bin_dir = {_quoted(plugins)}
conf_dir = {_quoted(place.configuration / "cni")}

{cri}.containerd]
snapshotter = "{_SNAPSHOTTER}"
default_runtime_name = "runc"

{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

{cri}.containerd.runtimes.runc.options]
SystemdCgroup = false
Root = {_quoted(place.folder / "runc")}
"""


def network_config(place: Place) -> dict[str, object]:
    """A bridge and addresses from a range; no masquerading, so pods reach one another, Services and this machine, no more."""
    addresses = {
        "type": "host-local",
        "dataDir": str(place.folder / "pod-addresses"),
        "ranges": [[{"subnet": POD_RANGE}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": POD_BRIDGE, "isGateway": True, "ipMasq": False, "hairpinMode": True}
    return {"cniVersion": "1.0.0", "name": NETWORK_NAME, "plugins": [{**bridge, "ipam": addresses}]}


def write_runtime_config(place: Place, plugins: Path, pause_image: str) -> Path:
    """Write both; returns containerd's."""
    network = place.configuration / "cni" / f"10-{NETWORK_NAME}.conflist"
    write_if_new(network, json.dumps(network_config(place), indent=1))
    return write_if_new(place.configuration / "containerd.toml", containerd_config(place, plugins, pause_image))


def runtime_daemon(place: Place) -> Daemon:
    """Its configuration must have been written when it is started."""
    return Daemon("containerd", [find("containerd"), "--config", place.configuration / "containerd.toml"], place)


def answers(place: Place) -> bool:
    """Whether containerd serves requests."""
    return attempt(*_ctr(place), "version").returncode == 0


class ImageStore:
    """The images in containerd, and which archive each came from."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._record = place.folder / "images.json"

    def names(self) -> set[str]:
        """All that the kubelet can start."""
        return set(run(*_ctr(self._place), "images", "ls", "-q").split())

    def load(self, archive: Path) -> list[str]:
        """Make every image of a docker-archive that of its name, whatever had the name before; returns the names that changed.

        Pods that run keep what they run; those that start later get the new one, also under an unchanged tag. Nothing happens
        when the contents are the same. Raises ``ClusterFailed`` for a file that is no such archive.
        """
        offered = read_archive(archive)
        loaded = self._loaded()
        there = self.names()
        changed = [name for name, digest in offered.items() if name not in there or loaded.get(name) != digest]
        if changed:
            run(*_ctr(self._place), "images", "import", "--snapshotter", _SNAPSHOTTER, archive)
            if left_out := set(offered) - self.names():
                raise ClusterFailed(f"containerd took {archive}, but has no {', '.join(sorted(left_out))}.")
            self._record.write_text(json.dumps(loaded | offered, indent=1))
        return changed

    def _loaded(self) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(self._record.read_text())
        except FileNotFoundError:
            return {}
        return found


def _ctr(place: Place) -> list[str | Path]:
    return [find("ctr"), "--address", place.containerd_socket, "--namespace", "k8s.io"]


def _quoted(path: Path | str) -> str:
    return json.dumps(str(path))  # a JSON string is one of TOML
