"""What ``fairlead serve`` says to people."""

from __future__ import annotations

import errno
import sys


def invitation(serves: str, address: str, admin: str) -> str:
    """How to try a router that is ready."""
    body = '{"model": "auto", "messages": [{"role": "user", "content": "Which way?"}]}'
    return (
        f"\nFairlead serves {serves} on {address}. Try:\n\n"
        f"  curl -i {address}/v1/chat/completions -H 'Content-Type: application/json' \\\n    -d '{body}'\n\n"
        f"and then, with the value of the header x-fairlead-decision:\n\n"
        f"  {sys.argv[0]} why ID --admin {admin}\n"
    )


def cannot_listen(error: OSError) -> str:
    """Why a start failed, and what helps."""
    hint = "; choose other ports with --port and --admin-port" if error.errno == errno.EADDRINUSE else ""
    return f"cannot listen or open a file: {error}{hint}"
