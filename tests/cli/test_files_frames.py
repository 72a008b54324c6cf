"""The pipe between compiler process and router."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from fairlead_cli.files.frames import MAX_FRAME_BYTES, BadFrame, Frame, LocatedFinding, encode, read_frames
from fairlead_cli.files.problems import Problem, ProblemReason, ProblemSeverity
from fairlead_contract.snapshot import Credential, Credentials

FRAME = Frame(
    b"sealed",
    Credentials((Credential("default", "keys", "api-key", "v1", "s3cret"),)),
    [LocatedFinding("a.yaml", 3, 1, "RoutingPolicy", "default", "chat", "spec", "Error", "Invalid", "no")],
    [Problem("b.yaml", 1, 1, ProblemSeverity.ERROR, ProblemReason.SYNTAX, "no")],
    2,
)


def pipe(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


async def test_frames_come_out_as_they_went_in() -> None:
    reader = pipe(encode(FRAME) * 2)
    assert [frame async for frame in read_frames(reader)] == [FRAME, FRAME]


@pytest.mark.parametrize("cut", [1, 3, 4, 10])
async def test_a_frame_cut_short_by_the_end_is_dropped(cut: int) -> None:
    reader = pipe(encode(FRAME) + encode(FRAME)[:cut])
    assert [frame async for frame in read_frames(reader)] == [FRAME]


@pytest.mark.parametrize("noise", [b"Traceback (most recent call last)", (MAX_FRAME_BYTES + 1).to_bytes(4, "big")])
async def test_noise_is_not_waited_for(noise: bytes) -> None:
    with pytest.raises(BadFrame, match="announced"):
        _ = [frame async for frame in read_frames(pipe(noise))]


async def test_another_shape_is_refused() -> None:
    with pytest.raises(BadFrame, match="cannot be read"):
        _ = [frame async for frame in read_frames(pipe(b"\x00\x00\x00\x01\x05"))]


@pytest.mark.parametrize("module", ["fairlead_cli.files.frames", "fairlead_cli.main", "fairlead_cli.serve"])
def test_what_the_parent_imports_brings_neither_yaml_nor_pydantic(module: str) -> None:
    program = (
        f"import sys, {module}; print([name for name in ('yaml', 'pydantic', 'fairlead_crds') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
