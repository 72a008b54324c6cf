"""The thread between finished requests and a collector: bounded, counted, never in the way."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from fairlead_router.trace.exporter import Exporter

PATIENCE = 10


class Wire:
    """What an exporter sends to; says what it is told to say."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.told: list[str | None] = []
        self.answer: Callable[[], str | None] = lambda: None
        self.heard = threading.Condition()
        self.aborted = threading.Event()

    def send(self, batch: list[int]) -> str | None:
        problem = self.answer()
        with self.heard:
            if problem is None:
                self.sent += batch
            self.heard.notify_all()
        return problem

    def tell(self, problem: str | None) -> None:
        with self.heard:
            self.told.append(problem)
            self.heard.notify_all()

    def until(self, condition: Callable[[], bool]) -> None:
        with self.heard:
            assert self.heard.wait_for(condition, PATIENCE)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def exporter(wire: Wire) -> Iterator[Exporter[int]]:
    started = Exporter[int]("traces", wire.send, wire.aborted.set, wire.tell, max_waiting=100, flush_seconds=0.01)
    yield started
    started.close()


def test_what_is_put_arrives_in_order_and_is_counted(exporter: Exporter[int], wire: Wire) -> None:
    for number in range(50):
        exporter.put(number)
    wire.until(lambda: len(wire.sent) == 50)
    exporter.close()
    assert wire.sent == list(range(50))
    assert (exporter.exported, exporter.dropped, wire.told) == (50, 0, [])


def test_what_is_queued_is_sent_before_the_end(wire: Wire) -> None:
    exporter = Exporter[int]("traces", wire.send, wire.aborted.set, wire.tell, flush_seconds=3600)
    exporter.put(1)
    exporter.close()
    assert wire.sent == [1]


def test_what_does_not_fit_is_dropped_and_counted_while_a_collector_hangs(wire: Wire) -> None:
    entered, free = threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        assert free.wait(PATIENCE)

    wire.answer = hang
    exporter = Exporter[int]("traces", wire.send, free.set, wire.tell, max_waiting=10, flush_seconds=0.01)
    exporter.put(0)
    assert entered.wait(PATIENCE)
    for number in range(1, 31):
        exporter.put(number)
    assert exporter.dropped == 20
    free.set()
    exporter.close()
    assert wire.sent == list(range(11))


def test_failing_is_told_once_and_so_is_its_end(exporter: Exporter[int], wire: Wire) -> None:
    wire.answer = lambda: "away"
    for number in range(3):
        exporter.put(number)
        wire.until(lambda wanted=number + 1: exporter.dropped == wanted)
    wire.answer = lambda: None
    exporter.put(3)
    wire.until(lambda: wire.told == ["away", None])
    exporter.close()
    assert (exporter.exported, exporter.dropped, wire.sent) == (1, 3, [3])


def test_an_error_of_the_sender_is_no_end(exporter: Exporter[int], wire: Wire) -> None:
    def break_() -> str | None:
        raise RuntimeError("secret words")

    wire.answer = break_
    exporter.put(0)
    wire.until(lambda: wire.told == ["RuntimeError"])
    wire.answer = lambda: None
    exporter.put(1)
    wire.until(lambda: wire.sent == [1])


def test_a_call_that_hangs_at_the_end_is_broken_off(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairlead_router.trace.exporter._CLOSE_SECONDS", 0.05)
    aborted = threading.Event()
    wire.answer = lambda: "aborted" if aborted.wait(PATIENCE) else None
    exporter = Exporter[int]("traces", wire.send, aborted.set, wire.tell, flush_seconds=0.01)
    exporter.put(0)
    exporter.close()
    assert aborted.is_set()


def test_a_router_without_a_collector_does_not_load_the_sdk() -> None:
    script = (
        "import sys, fairlead_router.server, fairlead_router.http.admin, fairlead_cli.serve;"
        "print([each for each in sys.modules if each.startswith(('opentelemetry', 'google.protobuf', 'requests'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
