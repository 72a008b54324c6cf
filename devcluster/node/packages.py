"""What the node needs of the distribution: the container runtime, its network plugins, and tools that set up networks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devcluster.apt import SEARCH_PATH, PackagesMissing, install
from devcluster.node.settings import ClusterFailed

_PLUGIN_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))
_PLUGINS = ("bridge", "host-local", "loopback")


@dataclass(frozen=True, slots=True)
class Tool:
    """A program of the system."""

    name: str
    package: str
    """Debian's and Ubuntu's."""


TOOLS = (
    Tool("containerd", "containerd"),
    Tool("ctr", "containerd"),
    Tool("runc", "runc"),
    Tool("ip", "iproute2"),
    Tool("nft", "nftables"),
    Tool("mount", "mount"),
    Tool("setsid", "util-linux"),
    Tool("openssl", "openssl"),
)
_PLUGIN_PACKAGE = "containernetworking-plugins"


def find(name: str) -> Path:
    """Where a tool is. Raises ``ClusterFailed``."""
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        raise ClusterFailed(f"There is no {name} on the PATH, which is {SEARCH_PATH}.")
    return Path(found)


def plugin_folder() -> Path | None:
    """Where the network plugins are, if all that are needed are."""
    complete = (folder for folder in _PLUGIN_FOLDERS if all((folder / plugin).exists() for plugin in _PLUGINS))
    return next(complete, None)


def missing_packages() -> list[str]:
    """Packages to install, sorted."""
    missing = {tool.package for tool in TOOLS if shutil.which(tool.name, path=SEARCH_PATH) is None}
    if plugin_folder() is None:
        missing.add(_PLUGIN_PACKAGE)
    return sorted(missing)


def install_missing(say: Callable[[str], None]) -> None:
    """Install them with apt-get. Raises ``ClusterFailed`` where there is no apt-get, or it fails."""
    try:
        install(missing_packages, say)
    except PackagesMissing as error:
        raise ClusterFailed(str(error)) from error
