"""What a server does when it is told to stop."""

from __future__ import annotations

import asyncio
import signal

from fairlead_router.http.leaving import Leaving


def obey_signals(stopping: asyncio.Event, leaving: Leaving, drain_seconds: float) -> None:
    """The first signal asks for a stop, the second one means now. Who presses Ctrl-C has no load balancer to tell."""

    def stop(notice_seconds: float) -> None:
        if stopping.is_set():
            leaving.hurry()
        else:
            leaving.notice_seconds = notice_seconds
            stopping.set()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop, drain_seconds)
    loop.add_signal_handler(signal.SIGINT, stop, 0.0)
