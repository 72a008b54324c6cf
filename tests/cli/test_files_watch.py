"""When a change is acted on, decided with a clock that tests move."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from fairlead_cli.files.scan import scan
from fairlead_cli.files.watch import INTERVAL_SECONDS, LATEST_SECONDS, ChangeDetector, Pace, watch
from tests.cli.cli_resources import mount_config_map, policy, write


def settled(signature: str) -> ChangeDetector:
    detector = ChangeDetector()
    detector.observe(signature, 0.0)
    assert detector.observe(signature, 0.025)
    return detector


@pytest.mark.parametrize(
    ("looks", "acts_at"),
    [
        ("AAAA", []),
        ("ABBB", [2]),
        ("AABBBB", [3]),
        ("ABCCC", [3]),
        ("ABBCC", [2, 4]),
        ("ABAA", []),
        ("BBCCDD", [1, 3, 5]),
        ("BCDEFGGGG", [5, 7]),
    ],
)
def test_a_change_is_acted_on_when_two_looks_agree_or_when_it_lasts(looks: str, acts_at: list[int]) -> None:
    detector = settled("A")
    acts = [step for step, look in enumerate(looks) if detector.observe(look, 1 + step * 0.026)]
    assert acts == acts_at


def test_continuous_writing_is_acted_on_in_time_and_once_more_at_its_end() -> None:
    detector, now, acts = settled("start"), 1.0, []
    first_seen = now
    for step in range(20):
        if detector.observe(f"write {step}", now):
            acts.append(now)
        now += INTERVAL_SECONDS
    for _ in range(4):
        if detector.observe("last write", now):
            acts.append(now)
        now += INTERVAL_SECONDS
    assert acts[0] - first_seen <= LATEST_SECONDS
    assert all(later - earlier <= LATEST_SECONDS + 2 * INTERVAL_SECONDS for earlier, later in pairwise(acts))
    assert not detector.pending


def test_the_first_look_counts_as_a_change() -> None:
    assert not ChangeDetector().observe("A", 0.0)
    assert settled("A").pending is False


@pytest.mark.parametrize(("cost", "delay"), [(0.0, 0.025), (0.0001, 0.025), (0.010, 0.190), (0.100, 1.9)])
def test_looking_costs_at_most_a_twentieth_of_the_time(cost: float, delay: float) -> None:
    pace = Pace()
    for _ in range(100):
        pace.spent(cost)
    assert pace.delay(pending=False) == pytest.approx(delay, rel=0.01)
    assert pace.delay(pending=True) == pytest.approx(max(INTERVAL_SECONDS, cost), rel=0.01)


def test_one_slow_look_among_many_slows_nothing_down() -> None:
    pace = Pace()
    pace.spent(0.005)
    assert pace.delay(pending=False) == INTERVAL_SECONDS


def test_the_loop_looks_acts_and_ends_when_told() -> None:
    looks = iter("AABBBCC")
    now = 0.0
    acts: list[float] = []

    def sleep(seconds: float) -> bool:
        nonlocal now
        now += seconds
        return now > 7.5 * INTERVAL_SECONDS

    watch(lambda: next(looks), lambda: acts.append(round(now / INTERVAL_SECONDS)), clock=lambda: now, sleep=sleep)
    assert acts == [2, 4, 7]


def _append(root: Path) -> None:
    with (root / "a.yaml").open("a") as file:
        file.write("# more\n")


def _rename_over(root: Path) -> None:
    write(root / "a.tmp", policy(weight=1))
    os.replace(root / "a.tmp", root / "a.yaml")


def _same_size_and_time(root: Path) -> None:
    status = (root / "a.yaml").stat()
    text = (root / "a.yaml").read_text()
    (root / "a.yaml").write_text(text.replace("100", "200"))
    os.utime(root / "a.yaml", ns=(status.st_atime_ns, status.st_mtime_ns))


def _recreate_folder(root: Path) -> None:
    shutil.rmtree(root)
    write(root / "a.yaml", policy())


@pytest.mark.parametrize(
    "change",
    [
        _append,
        _rename_over,
        _same_size_and_time,
        _recreate_folder,
        shutil.rmtree,
        lambda root: (root / "a.yaml").unlink(),
        lambda root: write(root / "deep" / "b.yaml", policy("other")),
        lambda root: (root / "a.yaml").rename(root / "b.yaml"),
    ],
)
def test_every_way_of_changing_files_changes_the_signature(tmp_path: Path, change: Callable[[Path], object]) -> None:
    root = tmp_path / "root"
    write(root / "a.yaml", policy())
    before = scan([str(root)])
    assert scan([str(root)]) == before
    change(root)
    assert scan([str(root)]) != before


def test_swapping_the_link_of_a_mounted_config_map_changes_the_signature(tmp_path: Path) -> None:
    mount_config_map(tmp_path, {"a.yaml": policy()})
    before = scan([str(tmp_path)])
    mount_config_map(tmp_path, {"a.yaml": policy()})
    assert scan([str(tmp_path)]) != before


@pytest.mark.parametrize("name", [".a.yaml.swp", "4913", "a.yaml~", "#a.yaml#", "notes.txt"])
def test_what_editors_leave_behind_changes_nothing(tmp_path: Path, name: str) -> None:
    write(tmp_path / "a.yaml", policy())
    before = scan([str(tmp_path)])
    write(tmp_path / name, "x")
    assert scan([str(tmp_path)]) == before
