"""What a client understands of a streamed answer: its events, its words, how it says that it is over."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from fairlead_conformance.client import error_in

_LINE_END = re.compile(rb"\r\n|\n|\r")
_DONE = b"[DONE]"


def event_data(body: bytes) -> tuple[list[bytes], bytes]:
    """The data of each event, and what is left of one that never ended. As WHATWG HTML, section 9.2.6, has it."""
    events: list[bytes] = []
    data: list[bytes] = []
    *lines, last = _LINE_END.split(body)
    for line in lines:
        if not line:
            if data:
                events.append(b"\n".join(data))
            data = []
        elif line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
    return events, b"\n".join([*data, last])


@dataclass(slots=True)
class StreamedAnswer:
    """The events of a stream, sorted by what they are."""

    data: list[bytes]
    """Of every event, in order."""
    left: bytes
    """Of an event that the stream broke off in."""
    chunks: list[dict[str, Any]] = field(default_factory=list)
    """JSON objects that are no errors, before the first ``[DONE]``."""
    errors: list[dict[str, object]] = field(default_factory=list)
    dones: int = 0
    garbage: list[bytes] = field(default_factory=list)
    after_done: list[bytes] = field(default_factory=list)
    """Data after the first ``[DONE]``, other than one more of it."""
    done_after_error: bool = False

    @property
    def texts(self) -> dict[int, str]:
        """The content of each choice."""
        found: dict[int, str] = defaultdict(str)
        for choice in self.choices:
            found[choice.get("index", 0)] += (choice.get("delta") or {}).get("content") or ""
        return dict(found)

    @property
    def text(self) -> str:
        """The content of the first choice."""
        return self.texts.get(0, "")

    @property
    def choices(self) -> list[dict[str, Any]]:
        """All choices of all chunks."""
        return [choice for chunk in self.chunks for choice in chunk.get("choices") or []]

    @property
    def finishes(self) -> list[tuple[int, str]]:
        """Index and reason of each finish."""
        return [(each.get("index", 0), each["finish_reason"]) for each in self.choices if each.get("finish_reason")]

    @property
    def usages(self) -> list[dict[str, Any]]:
        """Every usage that is not null."""
        return [chunk["usage"] for chunk in self.chunks if chunk.get("usage")]

    @property
    def without_choices(self) -> list[dict[str, Any]]:
        """Chunks with nothing in ``choices``."""
        return [chunk for chunk in self.chunks if not chunk.get("choices")]


def read_stream(body: bytes) -> StreamedAnswer:
    """The whole body of a streamed answer, understood."""
    data, left = event_data(body)
    found = StreamedAnswer(data, left)
    for each in data:
        if each.strip() == _DONE:
            found.dones += 1
            found.done_after_error |= bool(found.errors)
            continue
        if found.dones:
            found.after_done.append(each)
            continue
        if (error := error_in(each)) is not None:
            found.errors.append(error)
            continue
        try:
            value = json.loads(each)
        except ValueError:
            value = None
        if isinstance(value, dict):
            found.chunks.append(value)
        else:
            found.garbage.append(each)
    return found
