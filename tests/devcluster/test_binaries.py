"""Where programs are looked for, and what is said when they cannot be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devcluster.binaries import find_binaries
from devcluster.programs import ProgramMissing


def test_without_go_and_without_assets_the_message_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(ProgramMissing) as raised:
        find_binaries({"PATH": str(tmp_path), "FAIRLEAD_CACHE": str(tmp_path)})
    message = str(raised.value)
    assert f"no etcd, no kube-apiserver, no kube-controller-manager, no kubectl in {tmp_path}" in message
    assert "no Go on the PATH" in message
    assert "Go 1.25.0 or newer (https://go.dev/dl" in message
    assert "KUBEBUILDER_ASSETS" in message


def test_assets_that_lack_a_program_are_refused_by_its_name(tmp_path: Path) -> None:
    _make(tmp_path, "etcd", "kubectl")
    with pytest.raises(ProgramMissing, match=rf"KUBEBUILDER_ASSETS is {tmp_path}, .* no executable kube-apiserver\."):
        find_binaries({"KUBEBUILDER_ASSETS": str(tmp_path)})


def test_assets_of_envtest_need_only_the_controller_manager_built(tmp_path: Path) -> None:
    _make(tmp_path, "etcd", "kube-apiserver", "kubectl")
    with pytest.raises(ProgramMissing, match="There is no kube-controller-manager in"):
        find_binaries({"KUBEBUILDER_ASSETS": str(tmp_path), "PATH": "", "FAIRLEAD_CACHE": str(tmp_path / "cache")})


def test_complete_assets_are_used_as_they_are(tmp_path: Path) -> None:
    _make(tmp_path, "etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
    found = find_binaries({"KUBEBUILDER_ASSETS": str(tmp_path), "PATH": ""})
    assert found.kube_controller_manager == tmp_path / "kube-controller-manager"
    assert found.etcd == tmp_path / "etcd"


def test_a_build_that_fails_shows_what_go_said(tmp_path: Path) -> None:
    _make(tmp_path, "go", text="#!/bin/sh\necho 'go.mod requires go >= 1.25.0 (running go 1.19)' >&2\nexit 1\n")
    with pytest.raises(ProgramMissing, match=r"(?s)Building etcd .* failed.*Go said:\ngo\.mod requires go >= 1\.25"):
        find_binaries({"PATH": f"{tmp_path}{os.pathsep}/bin", "FAIRLEAD_CACHE": str(tmp_path)})


def _make(folder: Path, *names: str, text: str = "") -> None:
    for name in names:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
