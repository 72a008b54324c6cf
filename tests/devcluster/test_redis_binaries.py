"""Where ``redis-server`` is looked for, and what is said when it cannot be had."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from devcluster.programs import ProgramMissing
from devcluster.redis_binaries import find_redis


def test_one_that_is_named_wins(tmp_path: Path) -> None:
    server = _make(tmp_path / "named" / "any-name")
    _make(tmp_path / "path" / "redis-server")
    found = find_redis({"FAIRLEAD_REDIS_SERVER": str(server), "PATH": str(tmp_path / "path")})
    assert found.path == server
    assert found.environment == {}


def test_one_on_the_path_is_used_before_anything_is_fetched(tmp_path: Path) -> None:
    server = _make(tmp_path / "redis-server")
    assert find_redis({"PATH": str(tmp_path), "FAIRLEAD_CACHE": str(tmp_path)}).path == server


def test_a_named_one_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProgramMissing, match=r"FAIRLEAD_REDIS_SERVER is .*/none, which is no executable file"):
        find_redis({"FAIRLEAD_REDIS_SERVER": str(tmp_path / "none")})


def test_without_apt_the_message_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(
        ProgramMissing, match=r"no redis-server on the PATH, and no apt-get .* Install Redis 6 or newer"
    ):
        find_redis({"PATH": str(tmp_path), "FAIRLEAD_CACHE": str(tmp_path)})


def test_the_one_that_tests_use_starts_and_knows_scripts() -> None:
    found = find_redis()
    environment = {**os.environ, **found.environment}
    said = subprocess.run([found.path, "--version"], env=environment, capture_output=True, text=True, check=True)
    version = said.stdout.partition("v=")[2].partition(".")[0]
    assert int(version) >= 6


def _make(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.touch()
    path.chmod(0o755)
    return path
