"""``fairlead why ID``: a decision in words, from the router that made it."""

from __future__ import annotations

import argparse
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_DEFAULT_ADMIN = "http://127.0.0.1:9090"


def add_parser(subparsers: Subparsers) -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser("why", description="Tell why a request went where it went.")
    parser.add_argument("id", help="the value of the response header x-fairlead-decision")
    parser.add_argument(
        "--admin",
        default=os.environ.get("FAIRLEAD_ADMIN_URL", _DEFAULT_ADMIN),
        metavar="URL",
        help="the router's admin address (default: $FAIRLEAD_ADMIN_URL, else %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the record and the policies as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation. Returns 1 when the router does not know the decision or cannot be reached."""
    base = str(arguments.admin).rstrip("/")
    if not base.startswith(("http://", "https://")):
        print(f"fairlead why: --admin takes an http:// or https:// address, not {base!r}", file=sys.stderr)
        return 2
    url = f"{base}/-/decisions/{urllib.parse.quote(arguments.id, safe='')}"
    accept = "application/json" if arguments.json else "text/plain"
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310 - the scheme is checked above
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            sys.stdout.write(response.read().decode())
    except urllib.error.HTTPError as error:
        if error.code == 404:
            message = "the router does not keep that decision (any more); its id is the header x-fairlead-decision"
        else:
            message = f"the router answered {error.code}"
        print(f"fairlead why: {arguments.id}: {message}", file=sys.stderr)
        return 1
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        print(f"fairlead why: no router answers at {base}: {reason}; name it with --admin URL", file=sys.stderr)
        return 1
    return 0
