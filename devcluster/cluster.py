"""A real single-node Kubernetes cluster on this machine: ``python -m devcluster.cluster up``, as root, on Linux.

The first ``up`` builds Kubernetes, which takes a quarter of an hour on two cores; later ones take seconds. ``docs/cluster.md``
says what it is and is not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from devcluster.certificates import CertificatesFailed
from devcluster.node.cluster import COMPONENTS, Cluster
from devcluster.node.settings import ClusterFailed, Place
from devcluster.programs import ProgramMissing, program

_LOG_LINES = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = _parser().parse_args(arguments)
    cluster = Cluster(Place(options.directory.resolve()) if options.directory else None)
    try:
        match options.command:
            case "up":
                print(cluster.up())
            case "prepare":
                cluster.prepare()
            case "down":
                cluster.down()
            case "load":
                _print_loaded(cluster, options.archives)
            case "kubeconfig":
                _require(cluster)
                print(cluster.kubeconfig)
            case "logs":
                _print_logs(cluster, options.component)
            case _:
                return _print_status(cluster)
    except (CertificatesFailed, ClusterFailed, OSError, ProgramMissing) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cluster: interrupted; `up` again goes on, `down` cleans up", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcluster.cluster", description=__doc__)
    parser.add_argument(
        "--directory", type=Path, help="its folder (default: fairlead/cluster in $XDG_STATE_HOME or ~/.local/state)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "up", help="start what does not run, wait until pods and names work, print the kubeconfig's path"
    )
    commands.add_parser("prepare", help="install and build what `up` needs, and start nothing")
    commands.add_parser("down", help="stop everything and leave no trace but built programs and packages")
    commands.add_parser("status", help="what runs; exit status 1 unless all does and the node is Ready")
    commands.add_parser("kubeconfig", help="print the path of the administrator's kubeconfig")
    load = commands.add_parser("load", help="give the node the images of docker-archives")
    load.add_argument("archives", nargs="+", type=Path, metavar="ARCHIVE")
    logs = commands.add_parser("logs", help="where the logs are, or the end of one")
    logs.add_argument("component", nargs="?", choices=COMPONENTS)
    return parser


def _require(cluster: Cluster) -> None:
    if not cluster.exists:
        raise ClusterFailed("There is no cluster; `python -m devcluster.cluster up` makes it.")


def _print_loaded(cluster: Cluster, archives: Sequence[Path]) -> None:
    _require(cluster)
    for archive in archives:
        changed = cluster.load_image(archive)
        print(f"{archive}: {', '.join(changed) or 'nothing new'}")


def _print_logs(cluster: Cluster, component: str | None) -> None:
    _require(cluster)
    for status in cluster.status():
        if component is None:
            print(status.log)
        elif component == status.name and status.log.exists():
            print("\n".join(status.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]))


def _print_status(cluster: Cluster) -> int:
    for status in cluster.status():
        print(f"{status.name:24} {f'runs as {status.pid}' if status.pid else 'does not run'}")
    if not cluster.exists:
        return 1
    ready = cluster.node_ready()
    print(f"{'node':24} {'Ready' if ready else 'not Ready'}")
    print(f"\nexport KUBECONFIG={cluster.kubeconfig}\nalias kubectl={program('kubectl')}")
    return 0 if ready and all(status.pid for status in cluster.status()) else 1


if __name__ == "__main__":
    sys.exit(main())
