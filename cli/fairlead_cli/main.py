"""``fairlead``: one command, its sub-commands each in a module of its own, imported only when called."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version

_COMMANDS = {
    "serve": "run a router on resources in a folder, or on a snapshot file",
    "classifier": "classify texts, as a process of its own that routers ask",
    "validate": "check resources in files and print what is wrong with them",
    "simulate": "play a provider, to try routing without keys",
    "operator": "watch resources on an API server, compile and publish them, write status",
    "bundle": "make an encoder, check bundles, install, activate and roll back versions of them",
    "train": "make a classifier out of labelled prompts",
    "eval": "say how good a classifier is on labelled prompts",
    "why": "tell why a request went where it went",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit status: 0 for success, 1 for a failure, 2 for a command that cannot be understood."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="fairlead", description="A Kubernetes-native router for large language models."
    )
    parser.add_argument("--version", action="version", version=f"fairlead {version('fairlead')}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((word for word in given if word in _COMMANDS), None)
    run: Callable[[argparse.Namespace], int] | None = None
    for name, summary in _COMMANDS.items():
        # Only the command that is called pays for its imports: `why` needs no compiler, `validate` no server.
        if name == wanted:
            module = import_module(f"fairlead_cli.{name}")
            module.add_parser(subparsers)
            run = module.run
        else:
            subparsers.add_parser(name, help=summary)
    parsed = parser.parse_args(given)
    # Workers of a server are started with the same words.
    parsed.command_line = tuple(given)
    assert run is not None, "argparse lets no unknown command through"
    try:
        return run(parsed)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 141


if __name__ == "__main__":
    raise SystemExit(main())
