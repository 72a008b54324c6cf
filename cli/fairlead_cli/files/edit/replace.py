"""Replaces files as one: all of them get their new contents, or none does."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress

from fairlead_cli.files.source import read_bytes


class ChangedMeanwhile(Exception):
    """Somebody else wrote to a file; what they wrote stays."""


def replace_files(files: Mapping[str, tuple[bytes, bytes]]) -> None:
    """``files``: path → contents as they were read, and as they shall be. Raises :class:`ChangedMeanwhile` or ``OSError``.

    The new contents lie on disk before the first file changes. A link keeps leading to the file that is replaced.
    """
    drafts: dict[str, str] = {}
    done: list[str] = []
    try:
        for path, (_, data) in files.items():
            drafts[path] = _draft(os.path.realpath(path), data)
        for path, (before, _) in files.items():
            if read_bytes(path) != before:
                raise ChangedMeanwhile(f"{os.path.basename(path)} was changed while this was under way; ask again")
        for path, draft in drafts.items():
            os.replace(draft, os.path.realpath(path))
            done.append(path)
    except BaseException:
        for path in done:
            os.replace(_draft(os.path.realpath(path), files[path][0]), os.path.realpath(path))
        raise
    finally:
        for path, draft in drafts.items():
            if path not in done:
                with suppress(FileNotFoundError):
                    os.unlink(draft)


def _draft(target: str, data: bytes) -> str:
    """A hidden file beside ``target``, which readers of the folder leave out, with ``data`` safe on disk."""
    mode = stat.S_IMODE(os.stat(target).st_mode)
    descriptor, path = tempfile.mkstemp(prefix=".", suffix=".draft", dir=os.path.dirname(target))
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(path)
        raise
    return path
