"""The store that the workers of one machine share: ``python -m fairlead_cli.workers.store_process SOCKET``.

Ends when its standard input does, which is when the supervisor is gone; it removes the folder of the socket then, since nobody
else is left to do it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import uvloop

from fairlead_cli.logs import configure_logging
from fairlead_router.state.memory import MemoryStore
from fairlead_router.state.socket_server import serve_store

_EXPIRE_SECONDS = 5.0


def main() -> int:
    """Run until standard input ends. Returns the exit status."""
    # Both reach the whole process group at times; the supervisor decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    configure_logging("info")
    uvloop.run(_serve(Path(sys.argv[1])))
    return 0


async def _serve(path: Path) -> None:
    orphaned = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(0, lambda: orphaned.set() if not os.read(0, 4096) else None)
    store = MemoryStore()
    with suppress(FileNotFoundError):  # of one that was killed
        os.unlink(path)
    server = await serve_store(store, path)
    sys.stdout.write("up\n")
    sys.stdout.flush()
    expiring = asyncio.create_task(_expire(store))
    await orphaned.wait()
    expiring.cancel()
    server.close()
    shutil.rmtree(path.parent, ignore_errors=True)


async def _expire(store: MemoryStore) -> None:
    while True:
        await asyncio.sleep(_EXPIRE_SECONDS)
        await store.expire(now=time.time())


if __name__ == "__main__":
    raise SystemExit(main())
