"""Image archives: what is written can be read, is the same each time, and is known by its content."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from devcluster.node.archive import read_archive, write_archive
from devcluster.node.settings import ClusterFailed


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF one")
    return path


def test_the_same_input_gives_the_same_bytes_whatever_the_file_times_are(program: Path, tmp_path: Path) -> None:
    first = write_archive(tmp_path / "1.tar", "localhost/a:1", {"/a": program}, ["/a"]).read_bytes()
    program.touch()
    program.chmod(0o600)
    assert write_archive(tmp_path / "2.tar", "localhost/a:1", {"/a": program}, ["/a"]).read_bytes() == first


def test_other_content_under_the_same_name_has_another_digest(program: Path, tmp_path: Path) -> None:
    first = read_archive(write_archive(tmp_path / "1.tar", "localhost/a:1", {"/a": program}, ["/a"]))
    program.write_bytes(b"\x7fELF two")
    second = read_archive(write_archive(tmp_path / "2.tar", "localhost/a:1", {"/a": program}, ["/a"]))
    assert first.keys() == second.keys() == {"localhost/a:1"}
    assert first != second


def test_another_entry_point_has_another_digest(program: Path, tmp_path: Path) -> None:
    first = read_archive(write_archive(tmp_path / "1.tar", "localhost/a:1", {"/a": program}, ["/a"]))
    assert read_archive(write_archive(tmp_path / "2.tar", "localhost/a:1", {"/a": program}, ["/a", "-v"])) != first


def test_files_are_executable_and_owned_by_root(program: Path, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "1.tar", "localhost/a:1", {"/usr/bin/a": program}, ["/usr/bin/a"])
    with tarfile.open(archive) as outer:
        (layer_name,) = (name for name in outer.getnames() if name.endswith("layer.tar"))
        with tarfile.open(fileobj=outer.extractfile(layer_name)) as layer:
            (member,) = layer.getmembers()
    assert (member.name, member.mode, member.uid, member.gid) == ("usr/bin/a", 0o755, 0, 0)


def test_a_file_that_is_no_tar_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no image")
    with pytest.raises(ClusterFailed, match=r"notes\.txt is no image archive"):
        read_archive(path)


@pytest.mark.parametrize(
    "manifest",
    [None, [{"RepoTags": ["a:1"], "Layers": []}], [{"Config": "missing.json", "RepoTags": ["a:1"], "Layers": []}], 7],
)
def test_a_tar_that_is_no_image_is_refused(tmp_path: Path, manifest: object) -> None:
    path = tmp_path / "other.tar"
    with tarfile.open(path, "w") as tar:
        if manifest is not None:
            source = tmp_path / "manifest.json"
            source.write_text(json.dumps(manifest))
            tar.add(source, "manifest.json")
    with pytest.raises(ClusterFailed, match=r"other\.tar is no image archive"):
        read_archive(path)


def test_an_archive_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ClusterFailed, match=r"There is no image archive .*/none\.tar"):
        read_archive(tmp_path / "none.tar")
