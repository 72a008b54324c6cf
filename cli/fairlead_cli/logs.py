"""Log lines as JSON on standard error; standard output belongs to the access log."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime

import msgspec

from fairlead_router.record.log_levels import apply_levels, parse_levels

_FIELDS = ("requestId", "modelId", "latency")
"""What a component may add with ``extra``, in the words of the access line; latency in milliseconds."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the keys of the access line."""

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": "model-router",
            "component": record.name,
            "message": record.getMessage(),
        }
        for name in _FIELDS:
            if (value := getattr(record, name, None)) is not None:
                line[name] = value
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def configure_logging(levels: str) -> None:
    """Send log lines to standard error, from a level on: ``info``, or ``info,fairlead.dispatch=debug``.

    Raises ``BadLevels``.
    """
    parsed = parse_levels(levels)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=parsed.get("", "info").upper(), handlers=[handler], force=True)
    apply_levels(parsed)
