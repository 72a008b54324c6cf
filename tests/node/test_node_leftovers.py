"""What pods leave is looked for while it goes away by itself."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from devcluster.node import leftovers
from devcluster.node.leftovers import pod_processes


def make_pod(group: Path, uid: str, *pids: int) -> Path:
    """The cgroup of a pod with one for each of its containers, as the kubelet's driver without systemd names them."""
    pod = group / "burstable" / f"pod{uid}"
    for number, pid in enumerate(pids):
        container = pod / f"container-{number}"
        container.mkdir(parents=True)
        (container / "cgroup.procs").write_text(f"{pid}\n")
    (pod / "cgroup.procs").write_text("")
    return pod


def test_the_processes_of_a_pod_are_those_of_its_containers_and_of_no_other_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_CGROUPS", tmp_path)
    for controller in ("cpu", "memory"):
        make_pod(tmp_path / controller / "kubepods", "one", 11, 12)
        make_pod(tmp_path / controller / "kubepods", "other", 13)
    assert pod_processes("one") == {11, 12}
    assert pod_processes("none") == set()


def test_cgroups_may_vanish_while_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_CGROUPS", tmp_path)
    group = tmp_path / "kubepods"
    make_pod(group, "stays", 11)
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            pod = make_pod(group, "dying", 12)
            for folder, _, files in os.walk(pod, topdown=False):
                for file in files:
                    Path(folder, file).unlink()
                Path(folder).rmdir()

    churn = threading.Thread(target=come_and_go)
    churn.start()
    try:
        for _ in range(300):
            assert {pid for group in leftovers.pod_cgroups() for pid in leftovers._members(group)} - {12} == {11}
            assert pod_processes("stays") == {11}
    finally:
        over.set()
        churn.join()
