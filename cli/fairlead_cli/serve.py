"""``fairlead serve``: a router in this process, and for a folder of resources a compiler in a process beside it.

A snapshot comes from the compiler, or through any of the router's own doors: API server, files, the last good one on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import random
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from fairlead_cli.compiler_child import CompilerChild
from fairlead_cli.files.arguments import add_namespace_arguments
from fairlead_cli.logs import configure_logging
from fairlead_kube.access import in_cluster
from fairlead_kube.errors import NoAccess
from fairlead_router.config.doors.api_watch import PublishedObjects
from fairlead_router.config.doors.mounted import MountedFiles
from fairlead_router.config.doors.open import Sources, follow_sources
from fairlead_router.http.context import Context
from fairlead_router.identify.api_keys import ApiKeysError
from fairlead_router.server import RunningRouter, running_router
from fairlead_router.settings import SettingError, Settings, from_environment, networks

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

logger = logging.getLogger("fairlead.serve")


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
    parser.add_argument("--log-level", choices=["debug", "info", "warning", "error"])
    add_namespace_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Returns 1 if it cannot start."""
    overrides = {name: getattr(arguments, name, None) for name in Settings.__dataclass_fields__}
    try:
        settings = from_environment(os.environ, **overrides)
        sources = _sources(settings, arguments)
    except (SettingError, NoAccess) as error:
        print(f"fairlead serve: {error}", file=sys.stderr)
        return 2
    configure_logging(settings.log_level)
    try:
        return uvloop.run(_serve(settings, sources, arguments))
    except NoAccess as error:
        print(f"fairlead serve: --kubernetes: {error}", file=sys.stderr)
    except ApiKeysError as error:
        print(f"fairlead serve: --api-keys-file: {error}", file=sys.stderr)
    except OSError as error:
        hint = "; choose other ports with --port and --admin-port" if error.errno == errno.EADDRINUSE else ""
        print(f"fairlead serve: cannot listen or open a file: {error}{hint}", file=sys.stderr)
    return 1


def _sources(settings: Settings, arguments: argparse.Namespace) -> Sources | None:
    """The doors that are wanted; ``None`` for a folder of resources. Raises ``SettingError`` or ``NoAccess``."""
    if arguments.resources is not None:
        flags = ("kubernetes", "snapshot", "credentials", "last_good_dir", "snapshot_namespace")
        if any(getattr(arguments, name) for name in flags):
            raise SettingError(
                "--resources goes with none of --kubernetes, --snapshot, --credentials, --last-good-dir, --namespace"
            )
        if not arguments.resources.is_dir():
            raise SettingError(f"--resources: there is no folder {arguments.resources}")
        return None
    if not arguments.kubernetes and arguments.snapshot is None:
        raise SettingError("say where the configuration comes from: --resources DIR, --kubernetes or --snapshot FILE")
    if arguments.credentials is not None and arguments.snapshot is None:
        raise SettingError("--credentials belongs to --snapshot, which is not given")
    files = None if arguments.snapshot is None else MountedFiles(arguments.snapshot, arguments.credentials)
    return Sources(settings.last_good_dir, files, _published(settings) if arguments.kubernetes else None)


def _published(settings: Settings) -> PublishedObjects:
    """Raises ``SettingError`` or ``NoAccess``."""
    access = in_cluster(os.environ)
    namespace = settings.snapshot_namespace or access.namespace
    if namespace is None:
        raise SettingError("--kubernetes: this pod's namespace is not known: name one with --namespace")
    return PublishedObjects(access, namespace, settings.snapshot_config_map, settings.credentials_secret)


async def _serve(settings: Settings, sources: Sources | None, arguments: argparse.Namespace) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        child = None
        if sources is None:
            # Started first: it needs the other core and a moment, while this process imports nothing more.
            child = CompilerChild(arguments.resources, _compiler_options(arguments))
            await child.start()
            stack.push_async_callback(child.stop)
        router = await stack.enter_async_context(running_router(settings))
        if child is not None:
            feeding = asyncio.create_task(child.feed(router.context), name="compiler")
        else:
            feeding = asyncio.create_task(_follow(sources or Sources(), router.context), name="doors")
        stack.push_async_callback(_cancelled, feeding)
        announcing = asyncio.create_task(_announce(router, settings))
        stack.callback(announcing.cancel)
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait({waiting, feeding}, return_when=asyncio.FIRST_COMPLETED)
        if feeding.done() and not stopping.is_set():
            feeding.result()
        logger.info("stopping: no new requests, those in flight have %.0f s", settings.shutdown_seconds)
    return 0


async def _follow(sources: Sources, context: Context) -> None:
    await follow_sources(
        sources,
        context.pipeline.receiver,
        context.doors,
        degraded=context.degraded,
        user_agent=f"fairlead-router/{version('fairlead')}",
        draw=random.random,
    )


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _announce(router: RunningRouter, settings: Settings) -> None:
    await router.receiver.first_applied.wait()
    table = router.receiver.table
    address = f"http://localhost:{router.port}"
    body = '{"model": "auto", "messages": [{"role": "user", "content": "Which way?"}]}'
    print(
        f"\nFairlead serves {len(table.models)} models under {len(table.policies)} policies on {address}. Try:\n\n"
        f"  curl -i {address}/v1/chat/completions -H 'Content-Type: application/json' \\\n    -d '{body}'\n\n"
        f"and then, with the value of the header x-fairlead-decision:\n\n"
        f"  {sys.argv[0]} why ID --admin http://{settings.admin_host}:{router.admin_port}\n",
        file=sys.stderr,
        flush=True,
    )


def _compiler_options(arguments: argparse.Namespace) -> Sequence[str]:
    options = ["--default-namespace", arguments.default_namespace]
    for namespace in arguments.platform_namespaces or ():
        options += ["--platform-namespace", namespace]
    return options


def _networks(text: str) -> object:
    try:
        return networks(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
