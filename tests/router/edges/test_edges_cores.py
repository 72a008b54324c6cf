"""How many workers ``auto`` stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead_router.cores import available_cores, cgroup_quota, worker_count


@pytest.mark.parametrize(
    ("affinity", "quota", "cores"),
    [(8, None, 8), (8, 2.0, 2), (8, 1.5, 2), (8, 0.2, 1), (2, 6.0, 2), (1, None, 1), (0, None, 1)],
)
def test_no_more_cores_than_the_scheduler_lets_us_on_and_the_quota_pays_for(
    affinity: int, quota: float | None, cores: int
) -> None:
    assert available_cores(affinity, quota) == cores


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "nonsense\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_the_quota_of_a_container_is_read_in_both_versions_of_cgroups(
    tmp_path: Path, files: dict[str, str], quota: float | None
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert cgroup_quota(tmp_path) == quota


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_what_is_no_number_of_workers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="auto"):
        worker_count(text)


def test_a_number_is_taken_as_it_is_and_auto_is_at_least_one() -> None:
    assert worker_count("7") == 7
    assert worker_count("auto") >= 1
