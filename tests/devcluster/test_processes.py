"""Nothing that a test starts is left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from devcluster.processes import Process

_PARENT = """
import pathlib, sys, time
from devcluster.processes import Process
child = Process("child", ["/bin/sleep", "600"], pathlib.Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(600)
"""


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert _lives(child)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _lives(child):
        assert time.monotonic() < deadline, f"process {child} outlived its parent"
        time.sleep(0.02)


async def test_a_process_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    stubborn = Process(
        "stubborn", ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"], tmp_path / "log"
    )
    stubborn.start()

    async def ready() -> bool:
        return stubborn.log_tail() == "ready"

    await stubborn.wait_until(ready, "being ready")
    await stubborn.stop(timeout=0.1)
    assert not stubborn.running


async def test_a_paused_process_can_be_stopped(tmp_path: Path) -> None:
    process = Process("sleep", ["/bin/sleep", "600"], tmp_path / "log")
    process.start()
    process.pause()
    await process.stop()
    assert not process.running


async def test_a_restart_gives_a_new_process_with_the_same_command(tmp_path: Path) -> None:
    process = Process("sleep", ["/bin/sleep", "600"], tmp_path / "log")
    process.start()
    first = process.pid
    await process.restart()
    try:
        assert process.running
        assert process.pid != first
    finally:
        await process.kill()


def _lives(pid: int) -> bool:
    """A zombie that nobody has collected yet is dead."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
