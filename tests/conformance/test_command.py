"""The command: what it takes, what it prints, how it ends."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from bench.proxy.processes import free_port
from fairlead_conformance.__main__ import main
from fairlead_conformance.cases import CASES
from tests.conformance.bad_gateways import bad_gateway, passing


async def _run(*arguments: str) -> tuple[int, str, str]:
    """Exit status and both outputs of the command against a gateway that passes bytes on."""
    upstream, fallback = free_port(), free_port()
    async with bad_gateway(passing, f"http://127.0.0.1:{upstream}/v1") as gateway:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fairlead_conformance", "--gateway", gateway.base_url),
            *("--upstream-port", str(upstream), "--fallback-port", str(fallback), *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_without_a_failed_must_it_ends_with_0_and_says_how_many_passed(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    chosen = ("--only", "plain", "--only", "done-supplied", "--only", "idle")
    status, out, err = await _run(*chosen, "--name", "bytes", "--json", str(report))
    assert (status, err) == (0, "")
    assert out.endswith("bytes: must 1/1, should 0/1\n")
    found = json.loads(report.read_text())
    assert (found["gateway"], found["conforms"]) == ("bytes", True)
    assert [(each["id"], each["verdict"]) for each in found["cases"]] == [
        ("plain", "pass"),
        ("done-supplied", "fail"),
        ("idle", "not-applicable"),
    ]


async def test_a_failed_must_ends_it_with_1() -> None:
    status, out, _ = await _run("--only", "cut-close")
    assert status == 1
    assert "looks whole" in out


def test_nobody_at_the_address_is_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    assert main(["--gateway", url, "--upstream-port", str(free_port()), "--only", "plain"]) == 2
    assert "is the gateway there" in capsys.readouterr().err


def test_it_says_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "--gateway and --upstream-port" in capsys.readouterr().err


def test_a_case_that_does_not_exist_is_named() -> None:
    with pytest.raises(SystemExit, match="no case is called nonsense"):
        main(["--only", "nonsense"])


def test_it_lists_its_cases(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == [each.id for each in CASES]
