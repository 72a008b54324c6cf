"""``fairlead serve --workers N``: starts workers, does what ``plan`` says about them, and stops them in order."""

from __future__ import annotations

import argparse
import asyncio
import logging
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import uvloop

from fairlead_cli.compiler_child import CompilerChild
from fairlead_cli.serve import compiler_options
from fairlead_cli.wording import cannot_listen, invitation
from fairlead_cli.workers.admin import Admin
from fairlead_cli.workers.children import Ended, run_helper
from fairlead_cli.workers.crew import Crew
from fairlead_cli.workers.plain_http import MAX_HEAD_BYTES, serve_connection
from fairlead_cli.workers.plan import next_look
from fairlead_cli.workers.ports import listening_sockets
from fairlead_router.settings import Settings

logger = logging.getLogger("fairlead.supervisor")

_STORE_RETRY_SECONDS = 0.2
_LAST_SECONDS = 5.0
"""What workers have beyond their own limits until they are ended."""


def supervise(settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status."""
    runtime = Path(tempfile.mkdtemp(prefix="fairlead-"))  # mode 0700
    try:
        return uvloop.run(_supervise(settings, arguments, runtime))
    except OSError as error:
        print(f"fairlead serve: {cannot_listen(error)}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(runtime, ignore_errors=True)


async def _supervise(settings: Settings, arguments: argparse.Namespace, runtime: Path) -> int:
    async with AsyncExitStack() as stack:
        sockets = listening_sockets(settings.host, settings.port, settings.workers)
        for each in sockets:
            stack.callback(each.close)
        crew = Crew(
            arguments.command_line,
            replace(settings, draw_key=settings.draw_key or secrets.token_urlsafe(32)),
            sockets,
            runtime,
            watching=arguments.resources is None,
        )
        admin = Admin(crew.members, crew.ledger, crew.counted)
        crew.admin = admin
        server = await asyncio.start_server(
            lambda reader, writer: serve_connection(admin.answer, reader, writer),
            settings.admin_host,
            settings.admin_port,
            limit=MAX_HEAD_BYTES,
        )
        stack.callback(server.close)
        tasks = [asyncio.create_task(_announce(crew, sockets[0].getsockname()[1], settings, server.sockets[0]))]
        if crew.state_socket is not None:
            tasks.append(asyncio.create_task(_keep_store(crew, crew.state_socket)))
        if arguments.resources is not None:
            child = CompilerChild(arguments.resources, compiler_options(arguments))
            await child.start()
            stack.push_async_callback(child.stop)
            tasks.append(asyncio.create_task(child.feed(crew)))
        stack.push_async_callback(_cancelled, tasks)
        _obey_signals(crew, settings.drain_seconds)
        return await _run(crew, settings)


async def _run(crew: Crew, settings: Settings) -> int:
    """Until all workers are gone, because they were told to or because nothing helps."""
    give_up_at = None
    while not crew.over:
        now = time.monotonic()
        crew.step(now)
        if crew.stopping and give_up_at is None:
            give_up_at = now + crew.notice_seconds + settings.shutdown_seconds + _LAST_SECONDS
        if give_up_at is not None and now > give_up_at:
            crew.kill_all()
        await crew.news(next_look(crew.fleet(), now))
    return 1 if crew.failure is not None else 0


def _obey_signals(crew: Crew, drain_seconds: float) -> None:
    """The first SIGTERM or Ctrl-C asks for a stop, the second one means now; SIGHUP asks for new workers."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, crew.stop, drain_seconds)
    loop.add_signal_handler(signal.SIGINT, crew.stop, 0.0)
    loop.add_signal_handler(signal.SIGHUP, crew.roll)


async def _keep_store(crew: Crew, path: Path) -> None:
    """Run the store's process, again and again."""

    def gone(ended: Ended) -> None:
        logger.error("the store that the workers share is gone: %s; it is started again, empty", ended)
        crew.degraded(
            "store process", "StoreDown: what was kept in it is lost; requests are served without it meanwhile"
        )

    while True:
        await run_helper(
            "fairlead_cli.workers.store_process",
            str(path),
            ready=lambda: crew.degraded("store process", None),
            gone=gone,
        )
        await asyncio.sleep(_STORE_RETRY_SECONDS)


async def _announce(crew: Crew, port: int, settings: Settings, admin: object) -> None:
    await crew.opened.wait()
    admin_port = admin.getsockname()[1]  # type: ignore[attr-defined]
    print(
        invitation(
            f"with {settings.workers} workers", f"http://localhost:{port}", f"http://{settings.admin_host}:{admin_port}"
        ),
        file=sys.stderr,
        flush=True,
    )


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
