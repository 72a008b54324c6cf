"""The README's examples do what it says, as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standalone.running import FAIRLEAD, ROOT, Serving, serving

README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    log = tmp_path_factory.mktemp("readme") / "log"
    with serving("--resources", "examples/quickstart", log=log) as running:
        yield running


def commands() -> list[str]:
    """Every curl command of the README, continuation lines joined."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    joined = "\n".join(blocks).replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.startswith("curl ")]


def run(command: str, running: Serving) -> str:
    command = command.replace("localhost:3003", f"127.0.0.1:{running.port}")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readme_has_an_example_for_each_way_of_asking() -> None:
    asked = {match for command in commands() for match in re.findall(r"localhost:3003(/[\w/]+)", command)}
    assert asked == {"/v1/chat/completions", "/api/routing/test", "/v1/models", "/classify", "/route"}
    assert any('"stream": true' in command for command in commands())


@pytest.mark.parametrize("command", commands(), ids=range(len(commands())))
def test_each_curl_example_works(command: str, quickstart: Serving) -> None:
    output = run(command, quickstart)
    if '"stream": true' in command:
        assert output.startswith("data: {")
        assert output.rstrip().endswith("data: [DONE]")
        return
    if "-si" in command:
        head, _, output = output.replace("\r\n", "\n").partition("\n\n")
        assert head.startswith("HTTP/1.1 200")
        for header in re.findall(r"^(x-fairlead-[\w-]+):", README, re.MULTILINE):
            assert f"\n{header}: " in head
    answer = json.loads(output)
    assert "error" not in answer


def test_the_decision_of_the_first_example_can_be_explained(quickstart: Serving) -> None:
    output = run(commands()[0], quickstart)
    found = re.search(r"x-fairlead-decision: (\w+)", output)
    assert found is not None
    command = [str(FAIRLEAD), "why", found[1], "--admin", f"http://127.0.0.1:{quickstart.admin_port}"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "Decided by RoutingPolicy default/chat" in told
    assert "→ default/chat" in told
    assert "✗ default/creative" in told
    assert "tried first with probability" in told
    assert "1. default/" in told


def test_the_python_example_runs_unchanged(quickstart: Serving) -> None:
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found is not None
    code = found[1].replace("localhost:3003", f"127.0.0.1:{quickstart.port}")
    python = FAIRLEAD.with_name("python")
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 10


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\((docs/[\w/.-]+|[A-Z]+\.md)\)", README))))
def test_every_link_of_the_readme_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


def test_every_folder_of_the_readme_exists() -> None:
    for name in re.findall(r"^\| .*$", README, re.MULTILINE):
        for folder in re.findall(r"`(\w+)/`", name.split("|")[1]):
            assert Path(ROOT / folder).is_dir()
