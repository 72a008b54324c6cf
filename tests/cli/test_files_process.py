"""The compiler process as the router sees it: a real process behind pipes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from fairlead_cli.files.compiler import FolderCompiler
from fairlead_cli.files.frames import Frame, read_frames
from fairlead_cli.files.problems import ProblemReason
from fairlead_cli.files.source import FolderReader
from fairlead_contract.fragments import AnyFragment, PolicyFragment
from fairlead_contract.snapshot import Sealed, decode_fragment, unseal
from fairlead_crds.compile import Previous
from fairlead_crds.compile.resources import Settings
from tests.cli.cli_resources import documents, mount_config_map, policy, provider, secret, write


class Child:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.stdin = process.stdin
        self._frames = read_frames(process.stdout)

    async def frame(self, wanted: Callable[[Frame], bool] = lambda frame: True) -> Frame:
        """The next frame that is ``wanted``."""
        async with asyncio.timeout(20):
            async for frame in self._frames:
                if wanted(frame):
                    return frame
        raise AssertionError("the process ended without such a frame")


Start = Callable[..., Awaitable[Child]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    children: list[Child] = []

    async def start_child(folder: Path, *options: str) -> Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "fairlead_cli.files.process",
            str(folder),
            *options,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        children.append(Child(process))
        return children[-1]

    yield start_child
    for child in children:
        child.stdin.close()
        await child.process.communicate()


def fragments(frame: Frame) -> list[AnyFragment]:
    return [decode_fragment(entry.fragment) for entry in unseal(Sealed.from_bytes(frame.sealed)).entries]


def weights(frame: Frame) -> dict[str, int]:
    return {item.name: item.targets[0].weight for item in fragments(frame) if isinstance(item, PolicyFragment)}


def weighs(weight: int) -> Callable[[Frame], bool]:
    return lambda frame: weights(frame) == {"chat": weight}


async def test_the_first_frame_holds_everything(tmp_path: Path, start: Start) -> None:
    write(tmp_path / "a.yaml", documents(provider(), policy(), secret()))
    frame = await (await start(tmp_path)).frame()
    assert weights(frame) == {"chat": 100}
    assert (frame.findings, frame.problems, frame.objects) == ([], [], 2)
    assert [entry.value for entry in frame.credentials.entries] == ["s3cret"]


async def test_an_edit_becomes_a_frame_with_a_higher_revision(tmp_path: Path, start: Start) -> None:
    path = write(tmp_path / "a.yaml", documents(provider(), policy()))
    child = await start(tmp_path)
    first = Sealed.from_bytes((await child.frame()).sealed).manifest
    write(path, documents(provider(), policy(weight=7)))
    second = Sealed.from_bytes((await child.frame(weighs(7))).sealed).manifest
    assert second.version > first.version


async def test_every_way_in_which_files_change_is_noticed(tmp_path: Path, start: Start) -> None:
    root = tmp_path / "root"
    write(root / "a.yaml", documents(provider(), policy()))
    child = await start(root)
    await child.frame(weighs(100))

    write(tmp_path / "new", documents(provider(), policy(weight=1)))
    os.replace(tmp_path / "new", root / "a.yaml")
    await child.frame(weighs(1))

    shutil.rmtree(root)
    await child.frame(lambda frame: any(problem.file == str(root) for problem in frame.problems))
    write(root / "b.yaml", documents(provider(), policy(weight=2)))
    await child.frame(weighs(2))

    (root / "b.yaml").unlink()
    mount_config_map(root, {"c.yaml": documents(provider(), policy(weight=3))})
    await child.frame(weighs(3))
    mount_config_map(root, {"c.yaml": documents(provider(), policy(weight=4))})
    await child.frame(weighs(4))


async def test_a_broken_edit_is_reported_and_changes_nothing(tmp_path: Path, start: Start) -> None:
    path = write(tmp_path / "a.yaml", documents(provider(), policy()))
    child = await start(tmp_path)
    first = await child.frame()
    write(path, documents(provider(), policy(weight=7)) + "  [")
    broken = await child.frame()
    assert [problem.reason for problem in broken.problems][-1] is ProblemReason.SYNTAX
    assert (broken.sealed, broken.credentials) == (first.sealed, first.credentials)
    write(path, documents(provider(), policy(weight=8)))
    assert (await child.frame(weighs(8))).problems == []


async def test_an_invalid_object_is_found_with_its_line_and_its_last_version_stays(
    tmp_path: Path, start: Start
) -> None:
    path = write(tmp_path / "a.yaml", documents(provider(), policy()))
    child = await start(tmp_path)
    await child.frame()
    write(path, documents(provider(), policy(weight=-1)))
    frame = await child.frame()
    (finding,) = frame.findings
    assert weights(frame) == {"chat": 100}
    assert (finding.file, finding.line, finding.field) == (str(path), 20, "spec.targets[0].weight")


async def test_a_new_secret_value_is_sent(tmp_path: Path, start: Start) -> None:
    path = write(tmp_path / "a.yaml", secret(value="one"))
    child = await start(tmp_path)
    await child.frame()
    write(path, secret(value="two"))
    assert (await child.frame()).credentials.entries[0].value == "two"


async def test_options_decide_who_may_do_what(tmp_path: Path, start: Start) -> None:
    text = policy().replace("spec:", "spec:\n  precedence: Override")
    write(tmp_path / "a.yaml", documents(provider(), text))
    assert (await (await start(tmp_path)).frame()).findings == []
    strict = await (await start(tmp_path, "--platform-namespace", "ops")).frame()
    assert [finding.reason for finding in strict.findings] == ["NotPermitted"]


async def test_a_folder_that_is_missing_is_waited_for(tmp_path: Path, start: Start) -> None:
    child = await start(tmp_path / "later")
    first = await child.frame()
    assert [problem.reason for problem in first.problems] == [ProblemReason.UNREADABLE]
    write(tmp_path / "later" / "a.yaml", documents(provider(), policy()))
    await child.frame(weighs(100))


async def test_it_ends_when_its_parent_is_gone_and_not_by_ctrl_c(tmp_path: Path, start: Start) -> None:
    child = await start(tmp_path)
    await child.frame()
    child.process.send_signal(signal.SIGINT)
    write(tmp_path / "a.yaml", documents(provider(), policy()))
    await child.frame(weighs(100))
    child.stdin.close()
    async with asyncio.timeout(20):
        assert await child.process.wait() == 0


def compiler(folder: Path, after: FolderCompiler | None = None) -> FolderCompiler:
    """A new compiler, as in a new process; it knows of the one before nothing but the snapshot."""
    settings = Settings(frozenset({"default"}), "default")
    previous = None
    if after is not None:
        assert after.previous is not None
        previous = Previous.from_snapshot(after.previous.sealed)
    return FolderCompiler(FolderReader((str(folder),)), settings, previous)


def step(subject: FolderCompiler) -> Frame:
    frame = subject.step()
    assert frame is not None
    return frame


def test_a_compiler_that_takes_over_goes_on_with_the_history(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", documents(provider(), policy()))
    first = compiler(tmp_path)
    before = step(first)
    second = compiler(tmp_path, after=first)
    assert step(second).sealed == before.sealed
    write(path, documents(provider(), policy(weight=7)))
    after = Sealed.from_bytes(step(second).sealed).manifest.version
    assert after > Sealed.from_bytes(before.sealed).manifest.version


def test_a_compiler_that_takes_over_keeps_what_was_accepted_before(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", documents(provider(), policy()))
    first = compiler(tmp_path)
    step(first)
    write(path, documents(provider(), policy(weight=-1)))
    assert weights(step(compiler(tmp_path, after=first))) == {"chat": 100}


def test_a_compiler_that_takes_over_does_not_take_the_unreadable_for_deleted(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", documents(provider()))
    path = write(tmp_path / "b.yaml", documents(policy()))
    first = compiler(tmp_path)
    step(first)
    path.write_text("spec: {")
    second = compiler(tmp_path, after=first)
    waiting = step(second)
    assert (waiting.sealed, [problem.reason for problem in waiting.problems]) == (b"", [ProblemReason.SYNTAX])
    write(path, documents(policy(weight=7)))
    assert weights(step(second)) == {"chat": 7}


def test_nothing_is_sent_while_nothing_changes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.yaml", documents(provider(), policy()))
    subject = compiler(tmp_path)
    assert subject.step() is not None
    assert subject.step() is None
    write(path, "# a comment\n" + path.read_text())
    assert subject.step() is None


def test_a_crash_of_the_compiler_is_a_problem_and_the_next_edit_may_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "a.yaml", documents(provider(), policy()))
    subject = compiler(tmp_path)
    first = subject.step()
    assert first is not None

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    with monkeypatch.context() as patched:
        patched.setattr("fairlead_cli.files.compiler.compile_resources", crash)
        write(path, documents(provider(), policy(weight=7)))
        crashed = subject.step()
        assert crashed is not None
        assert [problem.reason for problem in crashed.problems] == [ProblemReason.COMPILER_FAILED]
        assert "RuntimeError: boom" in crashed.problems[0].message
        assert crashed.sealed == first.sealed
        assert subject.step() is None
    mended = subject.step()
    assert mended is not None
    assert (weights(mended), mended.problems) == ({"chat": 7}, [])
    assert "compiling" in caplog.text


async def test_logs_are_lines_of_json_on_stderr(tmp_path: Path) -> None:
    program = (
        "import fairlead_cli.files.compiler as c, fairlead_cli.files.process as p\n"
        "def crash(*_, **__): print('stray'); raise RuntimeError('boom')\n"
        "c.compile_resources = crash\n"
        f"raise SystemExit(p.main([{str(tmp_path)!r}]))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-u",
        "-c",
        program,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    reader = asyncio.StreamReader()
    reader.feed_data(output)
    reader.feed_eof()
    (frame,) = [frame async for frame in read_frames(reader)]
    lines = errors.decode().splitlines()
    assert process.returncode == 0
    assert (frame.sealed, frame.problems[0].reason) == (b"", ProblemReason.COMPILER_FAILED)
    assert "stray" in lines
    assert any("boom" in json.loads(line)["traceback"] for line in lines if line != "stray")
