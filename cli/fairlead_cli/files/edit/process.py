"""One update of a folder: ``python -m fairlead_cli.files.edit.process DIR``, changes on stdin, the result on stdout.

A process of its own, so that a router needs neither YAML nor the compiler; those of several routers go one after another.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import sys
from collections.abc import Sequence

import msgspec

from fairlead_cli.files.arguments import add_namespace_arguments, platform_namespaces
from fairlead_cli.files.edit.update import FolderUpdate
from fairlead_contract.updates import NotWritten, decode_changes, encode_result
from fairlead_crds.compile.resources import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 if there is a result, be it a refusal, 2 for input that is none."""
    parser = argparse.ArgumentParser(prog="python -m fairlead_cli.files.edit.process", description=__doc__)
    parser.add_argument("folder", metavar="DIR", help="folder with resource files")
    add_namespace_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        changes = decode_changes(sys.stdin.buffer.read())
    except msgspec.MsgspecError as error:
        print(f"these are no changes of models: {error}", file=sys.stderr)
        return 2
    # As `fairlead validate` has it: without a history, a paused object would be out of force.
    settings = Settings(platform_namespaces(options), options.default_namespace, heed_pauses=False)
    try:
        lock = os.open(options.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        result = encode_result(NotWritten(code="not_writable", message=f"the folder of resources: {error.strerror}"))
    else:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until this process ends
        result = encode_result(FolderUpdate(options.folder, settings).apply(changes))
    sys.stdout.buffer.write(result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
