"""One router in this process, and for a folder of resources a compiler in a process beside it.

A snapshot comes from the compiler, or through any of the router's own doors: API server, files, the last good one on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from contextlib import AsyncExitStack

import uvloop

from fairlead_cli.compiler_child import CompilerChild
from fairlead_cli.feed import RouterFeed
from fairlead_cli.serve import compiler_options
from fairlead_cli.signals import obey_signals
from fairlead_cli.sources import follow, make_sources
from fairlead_cli.updates import FolderUpdates
from fairlead_cli.wording import cannot_listen, invitation
from fairlead_kube.errors import NoAccess
from fairlead_router.config.doors.open import Sources
from fairlead_router.identify.api_keys import ApiKeysError
from fairlead_router.server import RunningRouter, running_router
from fairlead_router.settings import SettingError, Settings

logger = logging.getLogger("fairlead.serve")


def serve_alone(settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status."""
    try:
        sources = None if arguments.resources is not None else make_sources(settings, arguments)
    except (SettingError, NoAccess) as error:
        print(f"fairlead serve: {error}", file=sys.stderr)
        return 2
    try:
        return uvloop.run(_serve(settings, sources, arguments))
    except NoAccess as error:
        print(f"fairlead serve: --kubernetes: {error}", file=sys.stderr)
    except ApiKeysError as error:
        print(f"fairlead serve: --api-keys-file: {error}", file=sys.stderr)
    except OSError as error:
        print(f"fairlead serve: {cannot_listen(error)}", file=sys.stderr)
    return 1


async def _serve(settings: Settings, sources: Sources | None, arguments: argparse.Namespace) -> int:
    stopping = asyncio.Event()
    async with AsyncExitStack() as stack:
        child = None
        if sources is None:
            # Started first: it needs the other core and a moment, while this process imports nothing more.
            child = CompilerChild(arguments.resources, compiler_options(arguments))
            await child.start()
            stack.push_async_callback(child.stop)
        router = await stack.enter_async_context(running_router(settings))
        obey_signals(stopping, router.context.leaving, settings.drain_seconds)
        if child is not None:
            router.context.updates = FolderUpdates(arguments.resources, compiler_options(arguments))
            feeding = asyncio.create_task(child.feed(RouterFeed(router.context)), name="compiler")
        else:
            feeding = asyncio.create_task(follow(sources or Sources(), router.context), name="doors")
        stack.push_async_callback(_cancelled, feeding)
        announcing = asyncio.create_task(_announce(router, settings))
        stack.callback(announcing.cancel)
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait({waiting, feeding}, return_when=asyncio.FIRST_COMPLETED)
        if feeding.done() and not stopping.is_set():
            feeding.result()
        logger.info("stopping: requests in flight have %.0f s", settings.shutdown_seconds)
        # While it leaves, what changes is still obeyed: withdrawn credentials too.
        await router.leave()
    return 0


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _announce(router: RunningRouter, settings: Settings) -> None:
    await router.receiver.first_applied.wait()
    table = router.receiver.table
    serves = f"{len(table.models)} models under {len(table.policies)} policies"
    admin = f"http://{settings.admin_host}:{router.admin_port}"
    print(invitation(serves, f"http://localhost:{router.port}", admin), file=sys.stderr, flush=True)
