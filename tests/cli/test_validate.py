"""`fairlead validate`: lines, JSON, exit statuses; and that the examples are without fault."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest

from fairlead_cli import validate
from tests.cli.cli_resources import documents, policy, provider, write

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    validate.add_parser(parser.add_subparsers())
    return validate.run(parser.parse_args(["validate", *arguments]))


def test_remarks_are_lines_that_editors_understand(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("r/b.yaml"), documents(provider(model="gpt-4"), policy(model="gpt-5")))
    write(Path("r/a.yaml"), "apiVersion: v1\nkind: Service\n---\na: [\n")
    write(Path("r/c.yaml"), policy("other", model="gpt-4") + "      weight: 3\n")
    status = run("r")
    output = capsys.readouterr()
    lines = output.out.splitlines()
    assert status == validate.FOUND_ERRORS
    assert lines[0] == "r/a.yaml:2:1: note: v1 Service is not used here [IgnoredKind]"
    assert lines[1].startswith("r/a.yaml:5:1: error: while parsing a flow")
    (reference,) = [line for line in lines if "spec.targets[0].modelRef: " in line]
    assert reference.startswith("r/b.yaml:19:7: error: RoutingPolicy default/chat spec.targets[0].modelRef: ")
    assert reference.endswith(" [ModelNotFound]")
    assert lines[-1] == 'r/c.yaml:10:7: error: the key "weight" is here twice; first in line 9 [DuplicateKey]'
    assert output.err.startswith("2 objects in 3 files: 3 errors, ")


def test_a_pause_is_no_error_where_there_is_no_history(capsys: pytest.CaptureFixture[str]) -> None:
    paused = provider().replace("metadata:\n", 'metadata:\n  annotations: {fairlead.dev/paused: "true"}\n', 1)
    assert "fairlead.dev/paused" in paused
    write(Path("r/a.yaml"), documents(paused, policy()))
    assert run("r") == validate.OK
    assert capsys.readouterr().err == "2 objects in 1 file: 0 errors, 0 warnings\n"


@pytest.mark.parametrize(
    ("text", "options", "status", "summary"),
    [
        (documents(provider(), policy()), [], 0, "2 objects in 1 file: 0 errors, 0 warnings\n"),
        (documents(provider(), policy(), policy("late")), [], 0, "3 objects in 1 file: 0 errors, 1 warning\n"),
        (
            documents(provider(), policy(), policy("late")),
            ["--strict"],
            1,
            "3 objects in 1 file: 0 errors, 1 warning\n",
        ),
        (policy(weight=-1), [], 1, "1 object in 1 file: 1 error, 0 warnings\n"),
        ("", ["--strict"], 0, "0 objects in 1 file: 0 errors, 0 warnings\n"),
        ("apiVersion: v1\nkind: Service", ["--strict"], 0, "0 objects in 1 file: 0 errors, 0 warnings\n"),
    ],
)
def test_the_exit_status_tells_errors_from_warnings(
    text: str, options: list[str], status: int, summary: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(Path("a.yaml"), text)
    assert run("a.yaml", *options) == status
    assert capsys.readouterr().err == summary


def test_a_path_that_does_not_exist_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("nowhere.yaml") == validate.USAGE
    assert capsys.readouterr().err == "fairlead validate: no such file or folder: nowhere.yaml\n"


def test_several_paths_are_checked_together(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("providers.txt"), provider())
    write(Path("policies/a.yaml"), policy())
    assert run("policies", "providers.txt") == validate.OK
    assert capsys.readouterr().out == ""


def test_namespaces_are_as_the_options_say(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("a.yaml"), documents(provider(), policy().replace("spec:", "spec:\n  precedence: Override")))
    assert run("a.yaml") == validate.OK
    assert run("a.yaml", "--default-namespace", "team") == validate.FOUND_ERRORS
    assert run("a.yaml", "--default-namespace", "team", "--platform-namespace", "team") == validate.OK
    assert "team/chat spec.precedence:" in capsys.readouterr().out


def test_json_has_every_field_of_every_remark(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("a.yaml"), documents(provider(), policy(weight=-1)))
    write(Path("b.yaml"), "on: 1")
    assert run("a.yaml", "b.yaml", "--json") == validate.FOUND_ERRORS
    remarks = json.loads(capsys.readouterr().out)
    assert list(remarks[0]) == [
        "file",
        "line",
        "column",
        "severity",
        "reason",
        "kind",
        "namespace",
        "name",
        "field",
        "message",
    ]
    message = remarks[0].pop("message")
    assert message
    assert remarks[0] == {
        "file": "a.yaml",
        "line": 20,
        "column": 7,
        "severity": "error",
        "reason": "Invalid",
        "kind": "RoutingPolicy",
        "namespace": "default",
        "name": "chat",
        "field": "spec.targets[0].weight",
    }
    assert [(remark["severity"], remark["reason"]) for remark in remarks[1:]] == [
        ("error", "NotAnObject"),
        ("warning", "AmbiguousKey"),
    ]


def test_json_without_remarks_is_an_empty_array(capsys: pytest.CaptureFixture[str]) -> None:
    write(Path("a.yaml"), provider())
    assert run("a.yaml", "--json") == validate.OK
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("terminal", "environment", "colourful"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals(
    terminal: bool,
    environment: dict[str, str],
    colourful: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    write(Path("a.yaml"), policy(weight=-1))
    run("a.yaml")
    assert ("\x1b[1;31merror:\x1b[0m" in capsys.readouterr().out) is colourful


_OF_OTHERS = {"gitops"}
"""Objects of Argo CD and Flux; tests/gitops holds them against their kinds."""


@pytest.mark.parametrize(
    "name", sorted(entry.name for entry in os.scandir(EXAMPLES) if entry.is_dir() and entry.name not in _OF_OTHERS)
)
def test_examples_are_without_fault(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(str(EXAMPLES / name), "--strict") == validate.OK
    output = capsys.readouterr()
    assert output.out == ""
    assert not output.err.startswith("0 objects")
