"""Versions side by side: installing, activating, rolling back, pruning; crashes and company."""

import fcntl
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.bundles.errors import BundleError
from fairlead_learning.bundles.store import BundleStore, Version
from fairlead_learning.bundles.verify import verify_files
from tests.learning.bundles import crashing
from tests.learning.bundles.made import CONTENTS, make


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    return BundleStore(tmp_path / "store", verify_files, count(1).__next__)


@pytest.fixture
def install(store: BundleStore, tmp_path: Path) -> Callable[[str], str]:
    """Makes and installs a version; gives its name."""

    def make_and_install(version: str) -> str:
        make(tmp_path / "made" / version, version=version)
        return store.install(tmp_path / "made" / version).name

    return make_and_install


Install = Callable[[str], str]


def names(store: BundleStore) -> list[str]:
    return [version.name for version in store.versions()]


def current(store: BundleStore) -> str | None:
    folder = store.current()
    return None if folder is None else folder.name


def test_a_store_that_nobody_used_is_empty(store: BundleStore) -> None:
    assert store.current() is None
    assert store.versions() == []
    assert store.prune(0) == []


def test_an_installed_version_is_named_by_version_and_digest_and_not_in_force(
    store: BundleStore, tmp_path: Path
) -> None:
    bundle = make(tmp_path / "b", version="2026.1")
    assert store.install(tmp_path / "b") == Version(
        name=f"2026.1-{bundle.digest[:12]}",
        kind="Encoder",
        bundle="small",
        digest=bundle.digest,
        signed=False,
        current=False,
    )
    assert store.current() is None
    assert verify_files(tmp_path / "store" / "versions" / f"2026.1-{bundle.digest[:12]}").digest == bundle.digest


def test_installing_again_changes_nothing(store: BundleStore, install: Install) -> None:
    name = install("1")
    assert install("1") == name
    assert names(store) == [name]


def test_installing_again_mends_a_version_that_was_damaged(
    store: BundleStore, install: Install, tmp_path: Path
) -> None:
    name = install("1")
    file = tmp_path / "store" / "versions" / name / "model.onnx"
    file.write_bytes(b"?" * file.stat().st_size)
    assert install("1") == name
    assert file.read_bytes() == CONTENTS["model.onnx"]


def test_versions_of_the_same_number_with_other_files_stand_side_by_side(store: BundleStore, tmp_path: Path) -> None:
    make(tmp_path / "a", {"a.txt": b"1"})
    make(tmp_path / "b", {"a.txt": b"2"})
    assert store.install(tmp_path / "a").name != store.install(tmp_path / "b").name
    assert len(names(store)) == 2


def test_a_damaged_bundle_is_not_installed_and_leaves_nothing(store: BundleStore, tmp_path: Path) -> None:
    make(tmp_path / "b")
    (tmp_path / "b" / "model.onnx").write_bytes(b"?" * 500)
    with pytest.raises(BundleError, match=f"bundle {tmp_path / 'b'}, model.onnx"):
        store.install(tmp_path / "b")
    assert names(store) == []
    assert list((tmp_path / "store" / "versions").iterdir()) == []


def test_a_bundle_that_is_not_accepted_is_not_installed(store: BundleStore, tmp_path: Path) -> None:
    def refuse(bundle: Bundle) -> None:
        raise BundleError(bundle.folder, "is not signed", mend="sign it")

    make(tmp_path / "b")
    with pytest.raises(BundleError, match="is not signed"):
        store.install(tmp_path / "b", refuse)
    assert list((tmp_path / "store" / "versions").iterdir()) == []


def test_activating_rolling_back_and_rolling_back_again(store: BundleStore, install: Install) -> None:
    one, two, three = install("1"), install("2"), install("3")
    for name in (one, two, three):
        assert store.activate(name).current
        assert current(store) == name
    assert store.rollback().name == two
    assert store.rollback().name == one
    with pytest.raises(BundleError, match="no version to go back to"):
        store.rollback()
    assert current(store) == one


def test_activating_what_is_in_force_is_not_remembered_twice(store: BundleStore, install: Install) -> None:
    one, two = install("1"), install("2")
    for name in (one, two, two):
        store.activate(name)
    assert store.rollback().name == one


def test_the_pointer_is_a_file_that_is_replaced_by_every_change(store: BundleStore, install: Install) -> None:
    one, two = install("1"), install("2")
    store.activate(one)
    before = store.pointer.stat().st_ino
    store.activate(two)
    # Another file under the same name: nobody ever sees half of it, and who watches it sees the change.
    assert store.pointer.stat().st_ino != before


def test_a_version_may_be_named_by_a_beginning_that_only_it_has(store: BundleStore, install: Install) -> None:
    one, _, _ = install("1"), install("20"), install("21")
    assert store.activate("1").name == one
    with pytest.raises(BundleError, match=r"'2' could be 20-.*, 21-"):
        store.activate("2")
    with pytest.raises(BundleError, match="has no version '3'"):
        store.activate("3")
    with pytest.raises(BundleError, match="has no version"):
        store.activate("../versions")


def test_a_version_that_was_damaged_meanwhile_does_not_come_into_force(
    store: BundleStore, install: Install, tmp_path: Path
) -> None:
    one, two = install("1"), install("2")
    store.activate(one)
    (tmp_path / "store" / "versions" / two / "model.onnx").unlink()
    with pytest.raises(BundleError, match="missing"):
        store.activate(two)
    assert current(store) == one
    listed = {version.name: version for version in store.versions()}
    assert "missing" in (listed[two].problem or "")
    assert listed[one].problem is None


def test_pruning_keeps_the_newest_the_current_and_the_one_before(store: BundleStore, install: Install) -> None:
    installed = [install(str(number)) for number in range(6)]
    for name in (installed[1], installed[0], installed[2]):
        store.activate(name)
    assert sorted(store.prune(1)) == sorted([installed[1], installed[3], installed[4]])
    assert names(store) == [installed[5], installed[2], installed[0]]
    assert store.rollback().name == installed[0]
    with pytest.raises(BundleError, match="no version to go back to"):
        store.rollback()


def test_what_others_left_beside_the_versions_is_left_alone(
    store: BundleStore, install: Install, tmp_path: Path
) -> None:
    one = install("1")
    versions = tmp_path / "store" / "versions"
    for name in (".hidden", "notes.txt"):
        (versions / name).write_text("of somebody else")
    assert names(store) == [one]
    two = install("2")
    store.activate(two)
    assert store.prune(0) == [one]
    assert {entry.name for entry in versions.iterdir()} == {two, ".hidden", "notes.txt"}


def test_a_version_that_is_pruned_while_others_are_listed_does_not_hide_them(
    store: BundleStore, install: Install, tmp_path: Path
) -> None:
    installed = [install(str(number)) for number in range(3)]
    stop = threading.Event()

    def come_and_go() -> None:
        folder = tmp_path / "store" / "versions" / "0-gone"
        while not stop.is_set():
            folder.mkdir()
            folder.rmdir()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(come_and_go)
        try:
            for _ in range(2000):
                assert {*installed} <= {*names(store)}
        finally:
            stop.set()


@pytest.mark.parametrize("content", [b"", b"{}", b'{"current": "../../etc"}', b"\xff", b'{"current": "1", "x": 1}'])
def test_a_pointer_that_nobody_wrote_is_refused_with_a_remedy(
    store: BundleStore, content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "store").mkdir()
    store.pointer.write_bytes(content)
    with pytest.raises(BundleError, match=r"current: cannot be read.*remove the file and activate a version"):
        store.current()


def test_a_current_version_that_somebody_removed_is_named(store: BundleStore, install: Install, tmp_path: Path) -> None:
    one = install("1")
    store.activate(one)
    (tmp_path / "store" / "versions" / one).rename(tmp_path / "gone")
    with pytest.raises(BundleError, match=f"version {one} is missing"):
        store.current()


def test_many_install_and_activate_at_once_and_all_versions_are_whole(tmp_path: Path) -> None:
    for number in range(3):
        make(tmp_path / "made" / str(number), version=str(number))
    together = threading.Barrier(9)

    def one(number: int) -> str:
        store = BundleStore(tmp_path / "store", verify_files)
        together.wait()
        name = store.install(tmp_path / "made" / str(number % 3)).name
        store.activate(name)
        return name

    with ThreadPoolExecutor(9) as pool:
        installed = set(pool.map(one, range(9)))
    store = BundleStore(tmp_path / "store", verify_files)
    assert set(names(store)) == installed
    assert current(store) in installed
    for name in installed:
        verify_files(tmp_path / "store" / "versions" / name)


def test_readers_do_not_wait_for_a_writer(store: BundleStore, install: Install, tmp_path: Path) -> None:
    one = install("1")
    store.activate(one)
    with (tmp_path / "store" / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert current(store) == one
        assert names(store) == [one]


CRASHES = ["install", "activate", "rollback", "prune"]


@pytest.mark.parametrize("action", CRASHES)
def test_a_crash_at_any_step_leaves_the_old_state_or_the_new(action: str, tmp_path: Path) -> None:
    template = BundleStore(tmp_path / "template", verify_files, count(1).__next__)
    installed = []
    for number in range(4):
        make(tmp_path / "made" / str(number), version=str(number))
        if number < 3:
            installed.append(template.install(tmp_path / "made" / str(number)).name)
            template.activate(installed[-1])
    argument = {"install": str(tmp_path / "made" / "3"), "activate": installed[0], "prune": "0", "rollback": ""}[action]
    tried = subprocess.run(
        [sys.executable, crashing.__file__, tmp_path / "template", tmp_path / "work", action, argument],
        check=True,
        capture_output=True,
        text=True,
    )
    tries = int(tried.stdout)
    assert tries > 2, "nothing was interrupted"
    crashing.act(template, action, argument)
    ends = {installed[2], current(template)}
    for number in range(1, tries + 1):
        store = BundleStore(tmp_path / "work" / str(number), verify_files)
        assert current(store) in ends
        for version in store.versions():
            verify_files(tmp_path / "work" / str(number) / "versions" / version.name)
        if action != "rollback":
            crashing.act(store, action, argument)
            assert set(names(store)) == set(names(template))
            assert current(store) == current(template)
            if action != "activate":
                assert not list((tmp_path / "work" / str(number) / "versions").glob(".*"))
