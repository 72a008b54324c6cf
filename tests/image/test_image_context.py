"""The image's tag names what went in: the same tree gives the same tag, and any change of it another."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from devcluster.images.context import context_files, context_tag, origin
from devcluster.images.host import ROOT, ImageFailed


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "cli" / "fairlead_cli" / "__pycache__").mkdir(parents=True)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_text("*\n!pyproject.toml\n!cli/fairlead_cli\n**/__pycache__\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (tmp_path / "cli" / "fairlead_cli" / "main.py").write_text("print()\n")
    return tmp_path


def test_the_same_files_elsewhere_have_the_same_tag(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("copy") / "tree"
    shutil.copytree(tree, copy)
    assert context_tag("base", tree) == context_tag("base", copy)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a line of code": lambda tree: (tree / "cli/fairlead_cli/main.py").write_text("print(1)\n"),
    "a file more": lambda tree: (tree / "cli/fairlead_cli/data.json").write_text("{}"),
    "another name": lambda tree: (tree / "cli/fairlead_cli/main.py").rename(tree / "cli/fairlead_cli/mein.py"),
    "the Dockerfile": lambda tree: (tree / "Dockerfile").write_text("FROM other\n"),
    "what is let in": lambda tree: (tree / ".dockerignore").write_text("*\n!pyproject.toml\n"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_gives_another_tag(change: Callable[[Path], object], tree: Path) -> None:
    before = context_tag("base", tree)
    change(tree)
    assert context_tag("base", tree) != before


def test_another_base_gives_another_tag(tree: Path) -> None:
    assert context_tag("base", tree) != context_tag("newer", tree)


@pytest.mark.parametrize("path", ["README.md", "cli/fairlead_cli/__pycache__/main.pyc", "cli/notes.txt"])
def test_what_does_not_go_in_does_not_count(path: str, tree: Path) -> None:
    before = context_tag("base", tree)
    (tree / path).write_text("other")
    assert context_tag("base", tree) == before


def test_a_path_that_is_let_in_and_not_there_is_named(tree: Path) -> None:
    shutil.rmtree(tree / "cli")
    with pytest.raises(ImageFailed, match=r"lets in cli/fairlead_cli, which"):
        context_tag("base", tree)


def test_without_a_repository_nobody_knows_the_revision(tree: Path) -> None:
    found = origin(tree)
    assert (found.version, found.revision, found.seconds) == ("1.2.3", "unknown", 0)


def test_every_package_of_the_wheel_goes_in() -> None:
    names = {file.relative_to(ROOT).parts[1] for file in context_files() if file.suffix == ".py"}
    assert names == {
        f"fairlead_{name}" for name in ("contract", "crds", "kube", "operator", "router", "learning", "cli")
    }
