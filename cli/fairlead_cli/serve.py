"""``fairlead serve``: reads the command line, and runs one router in this process or several under a supervisor.

Only what runs is imported: a supervisor stays small.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairlead_cli.files.arguments import add_namespace_arguments
from fairlead_cli.logs import configure_logging
from fairlead_router.cores import worker_count
from fairlead_router.record.log_levels import BadLevels, parse_levels
from fairlead_router.settings import SettingError, Settings, from_environment, networks

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(subparsers: Subparsers) -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "serve",
        description="Run a router on resources in a folder, on a snapshot that an operator publishes, or on a snapshot file.",
        epilog="Options of the router are also read from the environment, as FAIRLEAD_<OPTION>.",
    )
    source = parser.add_argument_group("where the configuration comes from (at least one)")
    source.add_argument(
        "--resources",
        type=Path,
        metavar="DIR",
        help="folder of YAML resources; watched for changes; goes with no other",
    )
    source.add_argument(
        "--kubernetes", action="store_true", help="what the operator publishes in this cluster; watched for changes"
    )
    source.add_argument(
        "--snapshot", type=Path, metavar="FILE", help="compiled snapshot, as mounted; watched for changes"
    )
    source.add_argument("--credentials", type=Path, metavar="FILE", help="credentials that belong to --snapshot")
    source.add_argument(
        "--last-good-dir",
        type=Path,
        metavar="DIR",
        help="keep what runs, credentials included, in this folder, and begin with it when started again",
    )
    source.add_argument(
        "--namespace",
        dest="snapshot_namespace",
        metavar="NS",
        help="where --kubernetes looks (default: the pod's own namespace)",
    )
    parser.add_argument(
        "--workers", type=_workers, metavar="N", help="router processes on one port; auto: one a core (default 1)"
    )
    parser.add_argument("--host", help="address of the client API (default 0.0.0.0)")
    parser.add_argument("--port", type=int, help="port of the client API (default 3003)")
    parser.add_argument("--admin-host", help="address of metrics and decisions (default 127.0.0.1)")
    parser.add_argument("--admin-port", type=int, help="port of metrics and decisions (default 9090)")
    parser.add_argument("--api-keys-file", type=Path, metavar="FILE", help="static API keys (JSON)")
    parser.add_argument(
        "--allow-networks",
        type=_networks,
        metavar="CIDR,…",
        help="let providers have addresses in these otherwise refused networks; 'loopback' for this machine",
    )
    parser.add_argument("--decision-log", type=Path, metavar="FILE", help="append decision records as JSON lines")
    parser.add_argument("--no-access-log", dest="access_log", action="store_false", default=None)
    parser.add_argument(
        "--log-level", type=_levels, metavar="LEVEL", help="debug, info, warning or error; info,fairlead.dispatch=debug"
    )
    add_namespace_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Returns 1 if it cannot start, 2 if it cannot be understood."""
    try:
        settings = _settings(arguments)
        _check_sources(arguments)
    except SettingError as error:
        print(f"fairlead serve: {error}", file=sys.stderr)
        return 2
    configure_logging(settings.log_level)
    if settings.workers > 1:
        from fairlead_cli.workers.supervisor import supervise

        return supervise(settings, arguments)
    from fairlead_cli.single import serve_alone

    return serve_alone(settings, arguments)


def read_arguments(words: Sequence[str]) -> tuple[argparse.Namespace, Settings]:
    """What a worker is started with: the words that its supervisor was. Raises ``SettingError``."""
    parser = argparse.ArgumentParser(prog="fairlead")
    add_parser(parser.add_subparsers())
    arguments = parser.parse_args(words)
    return arguments, _settings(arguments)


def compiler_options(arguments: argparse.Namespace) -> Sequence[str]:
    """What the compiler process is started with."""
    options = ["--default-namespace", arguments.default_namespace]
    for namespace in arguments.platform_namespaces or ():
        options += ["--platform-namespace", namespace]
    return options


def _settings(arguments: argparse.Namespace) -> Settings:
    """Raises ``SettingError``."""
    overrides = {name: getattr(arguments, name, None) for name in Settings.__dataclass_fields__}
    return from_environment(os.environ, **overrides)


def _check_sources(arguments: argparse.Namespace) -> None:
    """Raises ``SettingError`` for doors that do not go together."""
    if arguments.resources is not None:
        flags = ("kubernetes", "snapshot", "credentials", "last_good_dir", "snapshot_namespace")
        if any(getattr(arguments, name) for name in flags):
            raise SettingError(
                "--resources goes with none of --kubernetes, --snapshot, --credentials, --last-good-dir, --namespace"
            )
        if not arguments.resources.is_dir():
            raise SettingError(f"--resources: there is no folder {arguments.resources}")
        return
    if not arguments.kubernetes and arguments.snapshot is None:
        raise SettingError("say where the configuration comes from: --resources DIR, --kubernetes or --snapshot FILE")
    if arguments.credentials is not None and arguments.snapshot is None:
        raise SettingError("--credentials belongs to --snapshot, which is not given")


def _levels(text: str) -> str:
    try:
        parse_levels(text)
    except BadLevels as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _networks(text: str) -> object:
    try:
        return networks(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _workers(text: str) -> int:
    try:
        return worker_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
