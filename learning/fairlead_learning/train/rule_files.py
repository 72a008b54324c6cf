"""Rule files laid out for reading: one key a line, long lists wrapped."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_WIDTH = 128
_SHORT = 84


def write_rule_file(path: Path, content: Mapping[str, Any]) -> None:
    """Writes ``content`` so that a change of one score is a change of one line."""
    path.write_text(f"{_laid_out(content, '')}\n", encoding="utf-8")


def _laid_out(value: Any, indent: str) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    deeper = indent + "  "
    short = (
        len(flat) < _SHORT and isinstance(value, Mapping) and not any(isinstance(item, str) for item in value.values())
    )
    if isinstance(value, Mapping) and not short:
        inside = ",\n".join(f"{deeper}{json.dumps(key)}: {_laid_out(item, deeper)}" for key, item in value.items())
        return f"{{\n{inside}\n{indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        inside = ",\n".join(deeper + _laid_out(item, deeper) for item in value)
        return f"[\n{inside}\n{indent}]"
    if isinstance(value, list) and len(flat) + len(indent) > _WIDTH - 20:
        return f"[\n{_wrapped(value, deeper)}\n{indent}]"
    return flat


def _wrapped(items: list[Any], indent: str) -> str:
    # A space inside an item must not be a place to break: it is another character while the lines are filled.
    held = [json.dumps(item, ensure_ascii=False).replace(" ", "\x01") for item in items]
    lines = textwrap.wrap(", ".join(held), _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False)
    return "\n".join(indent + line.replace("\x01", " ") for line in lines)
