"""``fairlead operator``: watch resources on an API server, compile, publish, write status."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead_cli.logs import configure_logging
from fairlead_kube.access import KubeAccess, in_cluster
from fairlead_kube.errors import NoAccess
from fairlead_operator.main import serve
from fairlead_operator.settings import SettingError, Settings, from_environment, names

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "operator",
        description="Watch resources on an API server, compile them, publish the snapshot, and write status.",
        epilog="Every setting is also read from the environment, as FAIRLEAD_<SETTING>; docs/operations.md lists them.",
    )
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="outside a cluster: how to reach the API server"
    )
    parser.add_argument("--context", help="context of the kubeconfig (default: its current one)")
    parser.add_argument("--namespace", help="where snapshot, credentials and Lease live (default fairlead-system)")
    parser.add_argument("--watch-namespaces", type=names, metavar="NS,…", help="namespaces to obey (default: all)")
    parser.add_argument(
        "--secret-namespaces",
        type=names,
        metavar="NS,…",
        help="where labelled Secrets are looked for; '*': everywhere",
    )
    parser.add_argument("--platform-namespaces", type=names, metavar="NS,…", help="may set Override and Default")
    parser.add_argument("--routers", type=names, metavar="URL,…", help="admin addresses of routers outside a cluster")
    parser.add_argument("--http-port", type=int, help="port of probes and metrics (default 8080)")
    parser.add_argument("--log-level", choices=["debug", "info", "warning", "error"])


def run(arguments: argparse.Namespace) -> int:
    """Operate until SIGTERM or SIGINT. Returns 1 if it cannot start, 2 for settings that cannot be used."""
    overrides = {name: getattr(arguments, name, None) for name in Settings.__dataclass_fields__}
    try:
        settings = from_environment(os.environ, **overrides)
        access = _access(arguments)
    except (SettingError, NoAccess) as error:
        print(f"fairlead operator: {error}", file=sys.stderr)
        return 2
    configure_logging(settings.log_level)
    try:
        asyncio.run(serve(access, settings))
    except (NoAccess, OSError) as error:
        print(f"fairlead operator: cannot start: {error}", file=sys.stderr)
        return 1
    return 0


def _access(arguments: argparse.Namespace) -> KubeAccess:
    if arguments.kubeconfig is None:
        return in_cluster(os.environ)
    from fairlead_kube.kubeconfig import read_kubeconfig

    return read_kubeconfig(arguments.kubeconfig, arguments.context)
