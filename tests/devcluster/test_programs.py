"""Programs of other projects: where they are kept, when they are built anew, and what is said when they cannot be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devcluster import programs as subject
from devcluster.programs import MODULES, ProgramMissing, program, programs

# Stands for the compiler, which takes minutes: it writes down its arguments, and yields a program.
_GO = """#!/bin/sh
echo "$@" >> {calls}
while [ "$1" != -o ]; do shift; done
echo '#!/bin/sh' > "$2"
"""


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine with such a compiler and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "go").write_text(_GO.format(calls=tmp_path / "calls"))
    (folder / "go").chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}/bin", "FAIRLEAD_CACHE": str(tmp_path / "cache")}


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().splitlines()


def test_a_program_is_built_once(machine: dict[str, str], tmp_path: Path) -> None:
    first = program("helm", machine)
    assert program("helm", machine) == first
    assert first.is_relative_to(tmp_path / "cache" / "fairlead" / "programs" / "helm")
    assert len(calls(tmp_path)) == 1


def test_only_what_is_missing_is_built(machine: dict[str, str], tmp_path: Path) -> None:
    program("kubelet", machine)
    found = programs(["kubelet", "kubectl", "promtool"], machine)
    assert list(found) == ["kubelet", "kubectl", "promtool"]
    assert [call.split()[-1].rpartition("/")[2] for call in calls(tmp_path)] == ["kubelet", "kubectl", "promtool"]


def test_another_pin_is_another_build_and_leaves_other_modules_alone(
    machine: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    for module in ("helm", "kubernetes", "coredns"):
        (tools / module).mkdir(parents=True)
        for source in (subject._TOOLS / module).iterdir():
            (tools / module / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(subject, "_TOOLS", tools)
    before = programs(["helm", "coredns"], machine)
    (tools / "helm" / "go.sum").write_text("another\n")
    after = programs(["helm", "coredns"], machine)
    assert after["helm"].parent != before["helm"].parent
    assert after["coredns"] == before["coredns"]


def test_versions_are_stamped_in(machine: dict[str, str], tmp_path: Path) -> None:
    programs(["helm", "kube-apiserver"], machine)
    helm, api_server = calls(tmp_path)
    kubernetes = subject.version("kubernetes")
    _, minor, _ = kubernetes.split(".")
    assert f"internal/version.version={subject.version('helm')}" in helm
    assert f"pkg/chartutil.k8sVersionMinor={minor}" in helm
    assert f"k8s.io/component-base/version.gitVersion={kubernetes}" in api_server


def test_a_name_that_nobody_has_is_refused_with_those_there_are(machine: dict[str, str]) -> None:
    with pytest.raises(ProgramMissing, match=r"There is no program 'kubectx'; there are coredns, etcd, helm,"):
        programs(["helm", "kubectx"], machine)


def test_a_failed_build_says_what_go_said_and_leaves_nothing(machine: dict[str, str], tmp_path: Path) -> None:
    Path(machine["PATH"].partition(os.pathsep)[0], "go").write_text("#!/bin/sh\necho no space left >&2\nexit 1\n")
    with pytest.raises(ProgramMissing, match=r"(?s)Building coredns in .* failed\. Go said:\nno space left"):
        program("coredns", machine)
    left = [path.name for path in (tmp_path / "cache").glob("**/*") if path.is_file()]
    assert left == [".lock"]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_pins_go_and_what_it_builds(module: str) -> None:
    text = (subject._TOOLS / module / "go.mod").read_text()
    assert f"module fairlead.dev/devcluster/tools/{module}\n" in text
    for package in MODULES[module].packages.values():
        assert package == "." or package in text
