"""`fairlead bundle`: what it prints, and its exit statuses."""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairlead_cli import bundle as command
from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.write import write_bundle
from fairlead_learning.encoder.default import DEFAULT_ENCODER


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FAIRLEAD_CLASSIFIER_BUNDLES_DIR", raising=False)


@pytest.fixture
def encoders(tmp_path: Path) -> list[Path]:
    """Two versions that can be run."""
    folders = []
    for version in ("1", "2"):
        folder = Path(shutil.copytree(DEFAULT_ENCODER, tmp_path / f"made-{version}"))
        bundle = Bundle.open(folder)
        contents = {file.path: bundle.read(file.path) for file in bundle.manifest.files}
        write_bundle(folder, msgspec.structs.replace(bundle.manifest, version=version), contents)
        folders.append(folder)
    return folders


def run(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return command.run(parser.parse_args(["bundle", *map(str, arguments)]))


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_sound_bundle_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", DEFAULT_ENCODER) == 0
    assert "Encoder all-MiniLM-L6-v2 1, 3 files, 23,355,924 bytes, digest " in capsys.readouterr().out
    assert run("verify", "--json", DEFAULT_ENCODER) == 0
    assert printed(capsys)["digest"] == Bundle.open(DEFAULT_ENCODER).digest


def test_a_damaged_bundle_fails_and_is_named(encoders: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    (encoders[0] / "model.onnx").write_bytes(b"")
    assert run("verify", encoders[0]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith(f"fairlead bundle: bundle {encoders[0]}, model.onnx: has 0 bytes instead of ")
    assert captured.out == ""


def test_a_folder_that_is_not_there_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "absent") == 1
    assert "bundle absent: there is no such folder" in capsys.readouterr().err


def test_the_life_of_a_store(encoders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = ("--store", tmp_path / "store", "--json")
    assert run("list", "--store", tmp_path / "store") == 0
    assert "no versions" in capsys.readouterr().out
    assert run("install", encoders[0], "--activate", *store) == 0
    one = printed(capsys)
    assert one["current"] is True
    assert run("install", encoders[1], *store) == 0
    two = printed(capsys)
    assert two["current"] is False
    assert run("activate", "2-", *store) == 0
    assert printed(capsys) == two | {"current": True}
    assert run("rollback", *store) == 0
    assert printed(capsys) == one
    assert run("list", *store) == 0
    assert [version["name"] for version in printed(capsys)] == [two["name"], one["name"]]
    assert run("prune", "--keep", "0", *store) == 0
    assert printed(capsys) == {"removed": [two["name"]]}
    assert run("list", "--store", tmp_path / "store") == 0
    assert capsys.readouterr().out == f"* {one['name']}  Encoder all-MiniLM-L6-v2\n"
    assert run("rollback", *store) == 1
    assert "no version to go back to" in capsys.readouterr().err


def test_the_store_may_be_named_by_the_routers_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("list") == 2
    assert "FAIRLEAD_CLASSIFIER_BUNDLES_DIR" in capsys.readouterr().err
    monkeypatch.setenv("FAIRLEAD_CLASSIFIER_BUNDLES_DIR", str(tmp_path / "store"))
    assert run("list") == 0


def test_only_what_the_key_has_signed_is_accepted_where_a_key_is_given(
    encoders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", "key.pem"], check=True)
    subprocess.run(["openssl", "pkey", "-in", "key.pem", "-pubout", "-out", "key.pub"], check=True)
    checked = ("--public-key", "key.pub", "--json")
    assert run("verify", encoders[0], *checked) == 1
    assert run("install", encoders[0], "--store", "store", *checked) == 1
    assert "is not signed" in capsys.readouterr().err
    assert run("sign", encoders[0], "--key", "key.pem", "--json") == 0
    assert printed(capsys)["digest"] == Bundle.open(encoders[0]).digest
    assert run("verify", encoders[0], *checked) == 0
    assert printed(capsys)["signed"] is True
    assert run("install", encoders[0], "--store", "store", *checked) == 0
    assert printed(capsys)["signed"] is True
    assert run("sign", encoders[0], "--key", "key.pub") == 2


def test_numbers_out_of_range_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("prune", "--keep", "-1", "--store", "store") == 2
    assert run("encoder", "--out", "made", "--max-tokens", "1") == 2
    assert "--max-tokens takes 8 to 8192, not 1" in capsys.readouterr().err


def test_making_an_encoder_without_its_packages_names_the_extra_and_the_environment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert importlib.util.find_spec("onnx") is None, "these tests are for an environment without the extra"
    assert run("encoder", "--out", "made") == 1
    message = capsys.readouterr().err
    assert "fairlead[train]" in message
    assert "scripts/environment train" in message
    assert not Path("made").exists()
