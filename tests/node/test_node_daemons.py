"""Daemons outlive who started them, are found again, and are never confused with another process of the same number."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.node.daemons import Daemon, start_time
from devcluster.node.settings import ClusterFailed, Place

_ROOT = Path(__file__).parents[2]
_STARTER = """
import sys
from pathlib import Path
from devcluster.node.daemons import Daemon
from devcluster.node.settings import Place
Daemon("sleeper", ["/bin/sleep", "600"], Place(Path(sys.argv[1]))).start()
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.logs.mkdir()
    place.processes.mkdir()
    return place


@pytest.fixture
def sleeper(place: Place) -> Iterator[Daemon]:
    daemon = Daemon("sleeper", ["/bin/sleep", "600"], place)
    try:
        yield daemon
    finally:
        daemon.kill()


def test_a_daemon_outlives_its_starter_and_another_process_finds_and_ends_it(sleeper: Daemon) -> None:
    subprocess.run([sys.executable, "-c", _STARTER, str(sleeper.place.folder)], cwd=_ROOT, check=True)
    pid = sleeper.pid
    assert pid is not None
    assert os.getsid(pid) == pid
    sleeper.stop()
    assert sleeper.pid is None
    assert start_time(pid) is None


def test_starting_twice_starts_once(sleeper: Daemon) -> None:
    sleeper.start()
    first = sleeper.pid
    sleeper.start()
    assert sleeper.pid == first


def test_after_a_kill_it_does_not_run_and_can_be_started_again(sleeper: Daemon) -> None:
    sleeper.start()
    first = sleeper.pid
    sleeper.kill()
    assert sleeper.pid is None
    sleeper.start()
    assert sleeper.pid not in (None, first)


def test_a_record_of_a_number_that_somebody_else_has_now_is_not_believed(sleeper: Daemon) -> None:
    (sleeper.place.processes / "sleeper.pid").write_text(f"{os.getpid()} 1")
    assert sleeper.pid is None
    assert not sleeper.send(signal.SIGTERM)


def test_a_paused_daemon_can_be_stopped(sleeper: Daemon) -> None:
    sleeper.start()
    sleeper.send(signal.SIGSTOP)
    sleeper.stop(seconds=5.0)
    assert sleeper.pid is None


def test_one_that_does_not_listen_is_killed(place: Place) -> None:
    stubborn = Daemon("stubborn", ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"], place)
    stubborn.start()
    stubborn.wait_until(lambda: "ready" in stubborn.last_words(), "it was ready", 10.0)
    started = time.monotonic()
    stubborn.stop(seconds=0.2)
    assert stubborn.pid is None
    assert time.monotonic() - started < 5.0


def test_waiting_for_one_that_ends_says_what_its_log_says(place: Place) -> None:
    failing = Daemon("failing", ["/bin/sh", "-c", "sleep 0.2; echo 'no such flag: --frobnicate'; exit 1"], place)
    failing.start()
    with pytest.raises(ClusterFailed, match=r"(?s)failing ended before it was healthy.*no such flag: --frobnicate"):
        failing.wait_until(lambda: False, "it was healthy", 10.0)


def test_one_whose_first_thread_alone_has_ended_still_runs_as_it_holds_its_ports(place: Place) -> None:
    thread_lives_on = "threading.Thread(target=time.sleep, args=(600,)).start(); ctypes.CDLL(None).pthread_exit(None)"
    daemon = Daemon("beheaded", [sys.executable, "-c", f"import ctypes, threading, time; {thread_lives_on}"], place)
    daemon.start()
    try:
        status = Path(f"/proc/{daemon.pid}/status")
        while "State:\tZ" not in status.read_text():
            time.sleep(0.02)
        assert daemon.pid is not None
    finally:
        daemon.kill()
    assert daemon.pid is None
