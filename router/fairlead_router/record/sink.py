"""Where decision records go: the most recent ones in memory, all of them to a file if one is named."""

from __future__ import annotations

from collections import OrderedDict

from fairlead_contract.decision import DecisionRecord, decode_record, encode_record
from fairlead_router.record.lines import LineSink


class RecordSink:
    """Keeps the last ``capacity`` records, encoded (about a kilobyte each), and passes each on to ``lines``."""

    def __init__(self, *, capacity: int, lines: LineSink | None = None) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lines = lines

    def put(self, record: DecisionRecord) -> None:
        """Keep ``record``; the oldest makes room."""
        data = encode_record(record)
        if self._capacity:
            self._kept[record.id] = data
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        if self._lines is not None:
            self._lines.put(data + b"\n")

    def get(self, decision_id: str) -> DecisionRecord | None:
        """The record, while it is kept."""
        data = self._kept.get(decision_id)
        return None if data is None else decode_record(data)

    def latest(self, count: int) -> list[str]:
        """Ids of the newest records, newest first."""
        ids = list(self._kept)
        return ids[: -count - 1 : -1]
