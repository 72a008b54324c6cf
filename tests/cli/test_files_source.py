"""A folder of files → resources, secrets, places and problems; and what stays when files are bad or gone."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from fairlead_cli.files.problems import ProblemReason, ProblemSeverity
from fairlead_cli.files.source import FolderReader, Reading
from tests.cli.cli_resources import documents, mount_config_map, policy, provider, write


@pytest.fixture
def reader(tmp_path: Path) -> FolderReader:
    return FolderReader((str(tmp_path),))


def names(reading: Reading) -> list[str]:
    return [raw["metadata"]["name"] for raw in reading.resources.objects]


def generations(reading: Reading) -> dict[str, int]:
    return {raw["metadata"]["name"]: raw["metadata"]["generation"] for raw in reading.resources.objects}


def reasons(reading: Reading) -> list[ProblemReason]:
    return [problem.reason for problem in reading.problems if problem.severity is not ProblemSeverity.NOTE]


@pytest.mark.parametrize(
    ("name", "is_read"),
    [
        ("a.yaml", True),
        ("a.yml", True),
        ("a.json", True),
        ("deep/er/a.yaml", True),
        ("a.txt", False),
        ("a.yaml~", False),
        ("a.yaml.swp", False),
        ("a.yaml.tmp", False),
        (".a.yaml", False),
        (".a.yaml.swp", False),
        (".#a.yaml", False),
        ("#a.yaml#", False),
        ("~a.yaml", False),
        (".git/a.yaml", False),
    ],
)
def test_which_files_are_read(tmp_path: Path, reader: FolderReader, name: str, is_read: bool) -> None:
    write(tmp_path / name, '{"apiVersion": "fairlead.dev/v1alpha1", "kind": "ABTest", "metadata": {"name": "x"}}')
    assert names(reader.read()) == (["x"] if is_read else [])


def test_objects_get_what_an_api_server_would_give_them(tmp_path: Path, reader: FolderReader) -> None:
    write(tmp_path / "a.yaml", policy())
    (raw,) = reader.read().resources.objects
    again = FolderReader((str(tmp_path),)).read().resources.objects[0]
    assert raw["metadata"]["namespace"] == "default"
    assert raw["metadata"]["generation"] == 1
    assert len(raw["metadata"]["uid"]) == 36
    assert raw["metadata"]["uid"] == again["metadata"]["uid"]


def test_what_the_file_says_of_identity_is_kept(tmp_path: Path, reader: FolderReader) -> None:
    text = policy().replace(
        "  name: chat", '  name: chat\n  uid: u-1\n  namespace: team\n  creationTimestamp: "2026-01-31T12:00:00Z"'
    )
    write(tmp_path / "a.yaml", text)
    metadata = reader.read().resources.objects[0]["metadata"]
    assert (metadata["uid"], metadata["namespace"]) == ("u-1", "team")
    assert metadata["creationTimestamp"] == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("edit", "grows"),
    [
        (lambda text: "# a comment\n" + text, False),
        (lambda text: text.replace("weight: 100", "weight:   1_00"), False),
        (lambda text: text + "status: {conditions: []}\n", False),
        (lambda text: text.replace("weight: 100", "weight: 99"), True),
        (lambda text: text.replace("name: chat", "name: chat\n  labels: {a: b}"), True),
        (lambda text: text.replace("name: chat", "name: chat\n  annotations: {a: b}"), True),
    ],
)
def test_the_generation_grows_with_content_alone(tmp_path: Path, reader: FolderReader, edit: Any, grows: bool) -> None:
    write(tmp_path / "a.yaml", policy())
    reader.read()
    write(tmp_path / "a.yaml", edit(policy()))
    assert generations(reader.read()) == {"chat": 2 if grows else 1}


def test_an_object_that_went_and_came_back_changed_has_a_new_generation(tmp_path: Path, reader: FolderReader) -> None:
    path = write(tmp_path / "a.yaml", policy())
    reader.read()
    path.unlink()
    assert names(reader.read()) == []
    write(path, policy(weight=1))
    assert generations(reader.read()) == {"chat": 2}


def test_a_half_written_file_keeps_what_it_had(tmp_path: Path, reader: FolderReader) -> None:
    path = write(tmp_path / "a.yaml", documents(provider(), policy()))
    write(tmp_path / "b.yaml", policy("other"))
    before = reader.read()
    write(path, documents(provider(), policy(weight=1))[:-30] + "{")
    broken = reader.read()
    assert broken.resources == before.resources
    assert reasons(broken) == [ProblemReason.SYNTAX]
    assert any("stay as they were" in problem.message for problem in broken.problems)
    write(path, policy(weight=1))
    mended = reader.read()
    assert (generations(mended), mended.problems) == ({"chat": 2, "other": 1}, ())


def test_a_bad_document_keeps_its_object_and_lets_its_neighbours_change(tmp_path: Path, reader: FolderReader) -> None:
    path = write(tmp_path / "a.yaml", documents(provider(), policy()))
    reader.read()
    write(path, documents(provider(model="huge"), policy() + "spec: {}\n"))
    reading = reader.read()
    assert generations(reading) == {"sim": 2, "chat": 1}
    assert reasons(reading) == [ProblemReason.DUPLICATE_KEY]


def test_a_file_broken_from_the_start_holds_nothing(tmp_path: Path, reader: FolderReader) -> None:
    write(tmp_path / "a.yaml", policy() + "  bad: [")
    reading = reader.read()
    assert (names(reading), reasons(reading)) == ([], [ProblemReason.SYNTAX])


def test_a_file_that_is_gone_loses_its_objects(tmp_path: Path, reader: FolderReader) -> None:
    path = write(tmp_path / "a.yaml", policy())
    reader.read()
    path.unlink()
    reading = reader.read()
    assert (names(reading), reading.problems) == ([], ())


def test_a_folder_that_is_gone_keeps_everything_and_says_so(tmp_path: Path) -> None:
    root = tmp_path / "resources"
    reader = FolderReader((str(root),))
    write(root / "a.yaml", policy())
    reader.read()
    shutil.rmtree(root)
    gone = reader.read()
    assert (names(gone), reasons(gone)) == (["chat"], [ProblemReason.UNREADABLE])
    assert gone.problems[0].file == str(root)
    write(root / "b.yaml", policy("other"))
    back = reader.read()
    assert (names(back), back.problems) == (["other"], ())


def test_a_folder_that_never_was_is_a_problem(tmp_path: Path) -> None:
    reading = FolderReader((str(tmp_path / "nowhere"),)).read()
    assert (names(reading), reasons(reading)) == ([], [ProblemReason.UNREADABLE])


def test_a_dangling_link_keeps_what_was_behind_it(tmp_path: Path, reader: FolderReader) -> None:
    target = write(tmp_path / "hidden" / ".a", policy())
    (tmp_path / "a.yaml").symlink_to(target)
    reader.read()
    target.unlink()
    reading = reader.read()
    assert (names(reading), reasons(reading)) == (["chat"], [ProblemReason.UNREADABLE])


def test_something_else_with_the_name_of_a_file_is_a_problem(tmp_path: Path, reader: FolderReader) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    reading = reader.read()
    assert "no regular file" in reading.problems[0].message


def test_a_mounted_config_map_is_read_once_and_follows_the_swap(tmp_path: Path, reader: FolderReader) -> None:
    mount_config_map(tmp_path, {"a.yaml": policy(), "b.yaml": provider()})
    first = reader.read()
    mount_config_map(tmp_path, {"a.yaml": policy(weight=1), "b.yaml": provider()})
    second = reader.read()
    assert (first.files, first.problems, second.problems) == (2, (), ())
    assert generations(second) == {"sim": 1, "chat": 2}


def test_links_in_circles_and_to_the_same_file_are_read_once(tmp_path: Path, reader: FolderReader) -> None:
    write(tmp_path / "deep" / "a.yaml", policy())
    (tmp_path / "deep" / "up").symlink_to(tmp_path)
    (tmp_path / "z.yaml").symlink_to(tmp_path / "deep" / "a.yaml")
    reading = reader.read()
    assert (names(reading), reading.files, reading.problems) == (["chat"], 1, ())


def test_the_first_of_two_declarations_counts_and_both_places_are_named(tmp_path: Path, reader: FolderReader) -> None:
    write(tmp_path / "a.yaml", policy(weight=1))
    write(tmp_path / "b.yaml", documents(provider(), policy(weight=2)))
    reading = reader.read()
    (problem,) = reading.problems
    assert reading.resources.objects[1]["spec"]["targets"][0]["weight"] == 1
    assert problem.reason is ProblemReason.DUPLICATE_OBJECT
    assert (problem.file, problem.line) == (str(tmp_path / "b.yaml"), 12)
    assert f"RoutingPolicy default/chat is declared already in {tmp_path}/a.yaml:1" in problem.message


def test_fields_are_found_in_their_files(tmp_path: Path, reader: FolderReader) -> None:
    write(tmp_path / "a.yaml", documents(provider(), policy()))
    reading = reader.read()
    file, place = reading.locate("RoutingPolicy", "default", "chat", "spec.targets[0].modelRef.model")
    assert (file, place.line) == (str(tmp_path / "a.yaml"), 19)
    assert reading.locate("RoutingPolicy", "default", "nobody", "spec")[0] == ""


def test_a_file_whose_name_is_no_text_is_a_problem(tmp_path: Path, reader: FolderReader) -> None:
    write(tmp_path / os.fsdecode(b"\xff.yaml"), policy())
    reading = reader.read()
    assert (names(reading), reasons(reading)) == ([], [ProblemReason.UNREADABLE])
    assert reading.problems[0].file.encode()


def test_a_file_that_may_not_be_read_keeps_what_it_had(tmp_path: Path, reader: FolderReader) -> None:
    def refuse(path: str) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    write(tmp_path / "a.yaml", policy())
    reader.read()
    reader.contents = refuse
    reading = reader.read()
    assert (names(reading), reasons(reading)) == (["chat"], [ProblemReason.UNREADABLE])
    assert "Permission denied" in reading.problems[0].message
