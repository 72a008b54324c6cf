"""Lines are written behind the back of the requests, or dropped and counted."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from fairlead_router.record.lines import LineWriter

SECONDS = 10
"""Longest time anything here may take."""


class Output:
    """A blocking output: ``write`` returns only while the gate is open."""

    def __init__(self, error: Exception | None = None) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.written: list[bytes] = []
        self.error = error

    def write(self, data: bytes) -> int:
        self.entered.set()
        assert self.gate.wait(SECONDS)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.written.append(data)
        return len(data)


@pytest.fixture
def output() -> Output:
    return Output()


@pytest.fixture
def writer_to(output: Output) -> object:
    writers: list[LineWriter] = []

    def make(max_lines: int = 100) -> LineWriter:
        writers.append(LineWriter(output.write, max_lines=max_lines))
        return writers[-1]

    yield make
    output.gate.set()
    for writer in writers:
        writer.close()


Make = Callable[..., LineWriter]


def test_lines_arrive_whole_and_in_order(output: Output, writer_to: Make) -> None:
    output.gate.set()
    writer = writer_to()
    for number in range(50):
        writer.put(b"%d\n" % number)
    writer.close()
    assert b"".join(output.written) == b"".join(b"%d\n" % number for number in range(50))
    assert writer.dropped == 0


def test_when_nobody_reads_lines_are_dropped_and_counted_and_nobody_waits(output: Output, writer_to: Make) -> None:
    writer = writer_to(max_lines=3)
    writer.put(b"first\n")
    assert output.entered.wait(SECONDS)
    for number in range(5):
        writer.put(b"%d\n" % number)
    assert writer.dropped == 2
    output.gate.set()
    writer.close()
    assert b"".join(output.written) == b"first\n0\n1\n2\n"


def test_a_batch_that_cannot_be_written_is_counted_and_the_next_one_is_written() -> None:
    output = Output(OSError("disk full"))
    writer = LineWriter(output.write)
    writer.put(b"lost\n")
    assert output.entered.wait(SECONDS)
    writer.put(b"kept\n")
    output.gate.set()
    writer.close()
    assert output.written == [b"kept\n"]
    assert writer.dropped == 1


def test_closing_writes_what_is_queued(output: Output, writer_to: Make) -> None:
    output.gate.set()
    writer = writer_to()
    writer.put(b"last\n")
    writer.close()
    assert output.written == [b"last\n"]
