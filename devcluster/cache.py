"""Where what takes long to get is kept outside the tree, and how one process at a time adds to it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def cache_folder(name: str, environment: Mapping[str, str] = os.environ) -> Path:
    """That of one kind of things, which need not exist yet and can be removed at any time."""
    cache = environment.get("FAIRLEAD_CACHE") or environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "fairlead" / name


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that is the file ``path``, made with its folder: whoever comes second waits, and finds what was made.

    The kernel frees the lock of a holder that dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
