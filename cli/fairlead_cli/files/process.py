"""The compiler process of ``fairlead serve``: ``python -m fairlead_cli.files.process DIR``.

Watches a folder and writes a frame to stdout whenever what it compiles to changes. Ends when stdin does, which is when
its parent is gone. Logs are lines of JSON on stderr. It is a process of its own so that parsing and compiling, however
long they take, never hold the interpreter that serves requests.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from typing import BinaryIO

from fairlead_cli.files.arguments import add_namespace_arguments, platform_namespaces
from fairlead_cli.files.compiler import FolderCompiler
from fairlead_cli.files.frames import encode, read_prefixed
from fairlead_cli.files.scan import scan
from fairlead_cli.files.source import FolderReader
from fairlead_cli.files.watch import watch
from fairlead_cli.logs import configure_logging
from fairlead_contract.snapshot import Sealed, SnapshotRejected
from fairlead_crds.compile import Previous
from fairlead_crds.compile.resources import Settings

logger = logging.getLogger("fairlead.files")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stdin ends. Returns the exit status."""
    options = _parser().parse_args(arguments)
    # These reach the whole process group at times; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    configure_logging("info")
    pipe = _claim_stdout()
    roots = (options.folder,)
    compiler = FolderCompiler(
        FolderReader(roots, options.default_namespace),
        Settings(platform_namespaces(options), options.default_namespace),
        _published_before(sys.stdin.buffer) if options.resume else None,
    )

    def send_news() -> None:
        frame = compiler.step()
        if frame is not None:
            pipe.write(encode(frame))
            pipe.flush()
            # What is remembered for the next edit is large and holds no cycles: spare the collector from walking it then.
            gc.freeze()

    try:
        send_news()
        watch(lambda: scan(roots), send_news, clock=time.monotonic, sleep=_sleep_unless_orphaned)
    except BrokenPipeError:
        # Nobody reads any more; the flush at exit would only complain about it.
        os._exit(0)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fairlead_cli.files.process", description=__doc__)
    parser.add_argument("folder", metavar="DIR", help="folder with resource files")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the snapshot that stdin brings first, with four bytes of length",
    )
    add_namespace_arguments(parser)
    return parser


def _published_before(stdin: BinaryIO) -> Previous | None:
    try:
        return Previous.from_snapshot(Sealed.from_bytes(read_prefixed(stdin)))
    except SnapshotRejected as rejected:
        logger.error("the snapshot to go on from cannot be read, so nothing is known as last good: %s", rejected)
        return None


def _claim_stdout() -> BinaryIO:
    """The pipe for frames alone: whatever prints from now on goes to stderr and cannot garble one."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return pipe


def _sleep_unless_orphaned(seconds: float) -> bool:
    """Wait, or return ``True`` at once when stdin ends."""
    readable, _, _ = select.select([0], [], [], seconds)
    return bool(readable) and not os.read(0, 4096)


if __name__ == "__main__":
    raise SystemExit(main())
