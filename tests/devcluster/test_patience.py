"""Long steps show signs of life, and end with whoever waits for them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from devcluster import apt
from devcluster.apt import PackagesMissing, install
from devcluster.patience import complete

_APT = """#!/bin/sh
echo "$*" >> {calls}
case "$*" in
update*) touch {lists} ;;
install*) test -e {lists} || {{ echo 'E: Unable to locate package' >&2; exit 100; }} ;;
esac
"""


def test_a_program_that_takes_long_is_heard_of_meanwhile() -> None:
    heard: list[float] = []
    done = complete(
        [
            sys.executable,
            "-c",
            "import sys, time; time.sleep(1); print('out'); print('err', file=sys.stderr); sys.exit(3)",
        ],
        heard.append,
        environment=os.environ,
        every=0.1,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert len(heard) >= 3
    assert heard == sorted(heard)


def test_who_is_interrupted_leaves_no_program_behind(tmp_path: Path) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    record = tmp_path / "pid"
    code = f"import os, time; open({str(record)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        complete([sys.executable, "-c", code], interrupt, environment=os.environ, every=1.0)
    assert time.monotonic() - started < 30
    assert not Path("/proc", record.read_text()).exists()


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What an apt-get without package lists has been told."""
    script, calls = tmp_path / "apt-get", tmp_path / "calls"
    script.write_text(_APT.format(calls=calls, lists=tmp_path / "lists"))
    script.chmod(0o755)
    monkeypatch.setattr(apt, "SEARCH_PATH", f"{tmp_path}:/bin:/usr/bin")
    return calls


def test_packages_that_are_there_are_left_alone(calls: Path) -> None:
    install(list, print)
    assert not calls.exists()


def test_a_fresh_machine_gets_its_package_lists_first(calls: Path) -> None:
    answers = iter([["runc"], []])
    install(lambda: next(answers), print)
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["install", "update", "install"]


def test_packages_that_do_not_come_are_named_with_what_apt_said(calls: Path, tmp_path: Path) -> None:
    (tmp_path / "apt-get").write_text("#!/bin/sh\necho 'E: Unable to locate package' >&2\nexit 100\n")
    with pytest.raises(PackagesMissing, match=r"(?s)did not bring nonesuch; install.*Unable to locate package"):
        install(lambda: ["nonesuch"], print)


def test_without_apt_get_one_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "SEARCH_PATH", str(tmp_path))
    with pytest.raises(PackagesMissing, match=r"packages runc buildah .* are needed, and there is no apt-get"):
        install(lambda: ["runc", "buildah"], print)
