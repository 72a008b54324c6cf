"""What is in the image, and what must not be."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.images.build import Image
from devcluster.images.weigh import configuration, weigh
from tests.image.container import Unpacked, output_of, python_in

pytestmark = pytest.mark.timeout(900)  # the first test may build it

USER = 65532
BUDGET_BYTES = 500 * 10**6
_WRITABLE = ("tmp", "var/tmp", "run/lock", "dev")
"""Open to everybody in every Debian; the root file system is read-only, and a mount covers what must be written."""

_PROGRAMS = {"bin", "sbin"}
_PACKAGES = {"site-packages", "dist-packages", "python3.11"}


def files(contents: Unpacked) -> Iterator[Path]:
    return (path for path in contents.root.rglob("*") if not path.is_symlink())


def test_what_is_added_to_the_base_stays_within_the_budget(image: Image) -> None:
    weights = weigh(Path(image.archive), image.base_layers)
    assert 100 * 10**6 < weights.added_bytes <= BUDGET_BYTES
    assert weights.added["onnxruntime"] > 10**7, "the table knows packages by their names"


def test_it_runs_as_a_user_without_rights_that_has_a_number_for_runAsNonRoot(contents: Unpacked) -> None:
    assert contents.config["User"] == f"{USER}:{USER}"
    assert contents.config["Entrypoint"] == ["fairlead"]
    assert contents.config["StopSignal"] == "SIGTERM"


def test_its_labels_say_what_it_is_and_from_where(contents: Unpacked) -> None:
    labels = {
        name.removeprefix("org.opencontainers.image."): value for name, value in contents.config["Labels"].items()
    }
    assert (labels["title"], labels["licenses"], labels["version"]) == ("Fairlead", "Apache-2.0", "0.1.0")
    assert labels["revision"] not in {"", "unknown"}


def test_no_time_of_the_build_is_in_it(image: Image) -> None:
    commit = int(
        subprocess.run(["git", "log", "-1", "--format=%ct"], capture_output=True, text=True, check=True).stdout
    )
    created = str(configuration(Path(image.archive))["created"])
    assert (
        created
        <= subprocess.run(
            ["date", "--utc", f"--date=@{commit}", "+%Y-%m-%dT%H:%M:%SZ"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        pytest.param(_PROGRAMS, {"gcc", "cc", "g++", "clang", "tcc", "ld", "as", "make", "cargo", "go"}, id="compiler"),
        pytest.param(_PROGRAMS, {"pip", "pip3", "pip3.11", "uv", "easy_install"}, id="installer of packages"),
        pytest.param(_PROGRAMS, {"curl", "wget", "ssh", "nc"}, id="program that fetches"),
        pytest.param(_PACKAGES, {"pip", "setuptools", "ensurepip", "uv"}, id="package of an installer"),
        pytest.param(
            _PACKAGES, {"torch", "sentence_transformers", "transformers", "lightgbm", "sklearn"}, id="trainer"
        ),
        pytest.param(_PACKAGES, {"huggingface_hub", "hf_xet"}, id="client of a model hub"),
    ],
)
def test_it_has_no(folders: set[str], names: set[str], contents: Unpacked) -> None:
    there = {path for path in contents.root.rglob("*") if path.parent.name in folders}
    assert there, f"no folder is called any of {folders}"
    assert {path for path in there if path.name in names} == set()


def test_no_wheel_of_an_installer_waits_to_be_unpacked(contents: Unpacked) -> None:
    assert [path.name for path in contents.root.rglob("*.whl")] == []


def test_its_user_can_read_all_of_our_files_and_write_none(contents: Unpacked) -> None:
    ours = contents.root / "opt"
    assert [path for path in ours.rglob("*") if not path.is_symlink() and not path.stat().st_mode & stat.S_IROTH] == []
    folders = [path for path in ours.rglob("*") if path.is_dir() and not path.stat().st_mode & stat.S_IXOTH]
    assert folders == []


def test_nothing_in_it_can_be_written_by_its_user(contents: Unpacked) -> None:
    writable = [
        str(path.relative_to(contents.root))
        for path in files(contents)
        if (found := path.stat()).st_mode & stat.S_IWOTH or USER in (found.st_uid, found.st_gid)
    ]
    assert [path for path in writable if not path.startswith(_WRITABLE)] == []


def test_nothing_in_it_gains_rights(contents: Unpacked) -> None:
    assert [path for path in files(contents) if path.is_file() and path.stat().st_mode & 0o6000] == []


def test_all_of_its_python_is_compiled_as_nobody_can_write_bytecode_later(contents: Unpacked) -> None:
    sources = [path for path in contents.root.rglob("*.py") if "site-packages" in path.parts]
    assert len(sources) > 1000
    bare = [path for path in sources if not (path.parent / "__pycache__" / f"{path.stem}.cpython-311.pyc").exists()]
    assert bare == []


def test_bytecode_is_used_as_it_is_whatever_times_files_have(contents: Unpacked) -> None:
    compiled = (
        contents.root / "opt/fairlead/lib/python3.11/site-packages/fairlead_router/__pycache__/pipeline.cpython-311.pyc"
    )
    assert compiled.read_bytes()[4:8] == b"\x01\x00\x00\x00", "by hash (bit 0), and unchecked (not bit 1)"


def test_it_says_its_version(contents: Unpacked, tmp_path: Path) -> None:
    assert output_of(contents, tmp_path, "--version") == (0, "fairlead 0.1.0\n")


@pytest.mark.parametrize("command", ["operator", "serve", "classifier", "simulate", "validate", "why", "bundle"])
def test_each_command_can_be_asked_for_help(command: str, contents: Unpacked, tmp_path: Path) -> None:
    status, said = output_of(contents, tmp_path, command, "--help")
    assert status == 0
    assert said.startswith(f"usage: fairlead {command}")


def test_every_module_of_ours_that_serves_can_be_loaded(contents: Unpacked, tmp_path: Path) -> None:
    code = """
import importlib, pkgutil, sys
count = 0
for name in ("fairlead_contract", "fairlead_crds", "fairlead_kube", "fairlead_operator", "fairlead_router", "fairlead_cli"):
    for found in pkgutil.walk_packages(importlib.import_module(name).__path__, name + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
            count += 1
print(count, "torch" in sys.modules)
"""
    status, said = python_in(contents, tmp_path, code)
    assert status == 0, said
    count, torch = said.split()
    assert int(count) > 200
    assert torch == "False"


def test_its_root_file_system_can_be_read_only(contents: Unpacked, tmp_path: Path) -> None:
    code = "import os; open('/tmp/there', 'w').close(); print(os.getuid(), flush=True); open('/opt/there', 'w')"
    status, said = python_in(contents, tmp_path, code)
    assert status == 1
    assert said.startswith(f"{USER}\n")
    assert "Read-only file system" in said
