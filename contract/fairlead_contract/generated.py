"""Documents that are written by a command: how a block takes its place between marks, and how a file is written or checked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = (head, ["---"] * len(head), *rows)
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def between_marks(text: str, name: str, block: str) -> str:
    """``text`` with ``block`` between the marks of ``name``. Raises ``ValueError`` if they are not there."""
    begin, end = f"<!-- {name}:begin -->\n", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"there are no markers {begin.strip()} and {end}, each on a line of its own")
    return f"{before}{begin}{block}{end}{after}"


def rewrite(arguments: Sequence[str], documented: Callable[[str], str]) -> int:
    """The command ``FILE [--check]``: write the file as ``documented`` has it, or say whether it differs. The exit status."""
    path = _place(arguments)
    return write({path: documented(path.read_text()).encode()}, check="--check" in arguments)


def write_all(arguments: Sequence[str], documents: Mapping[str, bytes]) -> int:
    """The command ``FOLDER [--check]``: write all ``documents`` there, or name those that differ. The exit status."""
    folder = _place(arguments)
    files = {folder / name: content for name, content in documents.items()}
    return write(files, check="--check" in arguments)


def write(files: Mapping[Path, bytes], *, check: bool) -> int:
    """Write what differs, or with ``check`` only name it. The exit status."""
    stale = [path for path, content in files.items() if not path.exists() or path.read_bytes() != content]
    for path in stale:
        if check:
            print(f"{path} is not what the code says; run `make generate`", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[path])
    return 1 if check and stale else 0


def _place(arguments: Sequence[str]) -> Path:
    return Path(next(argument for argument in arguments if argument != "--check"))
