"""The file of static API keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fairlead_router.identify.api_keys import ApiKeysError, read_api_keys

DIGEST = "a" * 64


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def keys(*entries: dict[str, Any]) -> str:
    return json.dumps({"keys": [*entries]})


def entry(name: str = "ci", sha256: str = DIGEST, **fields: Any) -> dict[str, Any]:
    return {"name": name, "sha256": sha256, **fields}


def test_keys_are_read_with_everything_they_prove(path: Path) -> None:
    full = entry(workspace="ws", agentType="coder", user="ann", userTier="premium", actForOthers=True)
    path.write_text(keys(full, entry("other", "b" * 64)))
    assert len(read_api_keys(path)) == 2


def test_a_file_without_keys_lets_nobody_in_but_is_no_error(path: Path) -> None:
    path.write_text(keys())
    assert read_api_keys(path).find("anything") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "sha256sum"),
        ("keys: []", "sha256sum"),
        ("[]", "Expected `object`"),
        ("{}", "missing required field `keys`"),
        (keys({"name": "ci"}), "missing required field `sha256`"),
        (keys(entry(sha256="A" * 64)), "keys[0].sha256"),
        (keys(entry(sha256="secret")), "keys[0].sha256"),
        (keys(entry(name="")), "keys[0].name"),
        (keys(entry(workspace="")), "keys[0].workspace"),
        (keys(entry(workspaces=["ws"])), "unknown field `workspaces`"),
        (keys(entry(), entry(sha256="b" * 64)), "two keys are named 'ci'"),
        (keys(entry(), entry("other")), "'ci' and 'other' are the same key"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_path_and_the_place(path: Path, text: str, words: str) -> None:
    path.write_text(text)
    with pytest.raises(ApiKeysError) as raised:
        read_api_keys(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert words in str(raised.value)


def test_a_file_that_is_no_text_is_refused(path: Path) -> None:
    path.write_bytes(b'{"keys": [{"name": "\xff", "sha256": ""}]}')
    with pytest.raises(ApiKeysError):
        read_api_keys(path)


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(ApiKeysError, match="No such file"):
        read_api_keys(path)
