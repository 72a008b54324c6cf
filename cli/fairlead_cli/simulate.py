"""``fairlead simulate``: a provider to try routing with, that needs no key and can be broken and mended while it runs."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import uvloop
from aiohttp import web

from fairlead_cli.logs import configure_logging
from fairlead_cli.simulator import BadBehaviour, make_simulator_app, read_behaviour
from fairlead_crds.kinds.model_provider import Simulated as BehaviourSpec

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

logger = logging.getLogger("fairlead.simulate")

_PORT = 8000
_LAST_PORT = 65535
_DRAIN_SECONDS = 10.0
_OPTIONS = {
    "first_byte_milliseconds": ("--first-byte-ms", "milliseconds until the first byte"),
    "per_token_milliseconds": ("--per-token-ms", "milliseconds between two tokens"),
    "output_tokens": ("--output-tokens", "tokens of an answer, unless the request allows fewer"),
    "error_percent": ("--error-percent", "share of requests that fail with 503"),
    "seed": ("--seed", "the same seed gives the same answers"),
}
"""Options by the field of ``spec.simulated`` of a ModelProvider that they set."""


def add_parser(subparsers: Subparsers) -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "simulate",
        description="Serve the API of OpenAI with invented answers, for a ModelProvider of type OpenAICompatible.",
        epilog="While it runs, POST /behaviour changes how it behaves: "
        """curl -d '{"errorPercent": 100}' http://localhost:8000/behaviour""",
    )
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default 0.0.0.0)")  # noqa: S104
    parser.add_argument("--port", type=int, default=_PORT, help=f"port to listen on (default {_PORT})")
    parser.add_argument(
        "--model",
        dest="models",
        action="append",
        default=[],
        metavar="NAME",
        help="a model it offers; can be given several times (default: answers to every name)",
    )
    for field, (option, meaning) in _OPTIONS.items():
        default = BehaviourSpec.model_fields[field].default
        parser.add_argument(option, dest=field, type=int, metavar="N", help=f"{meaning} (default {default})")


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Returns 1 if it cannot start, 2 if it cannot be understood."""
    configure_logging("info")
    try:
        behaviour = _behaviour(arguments)
        uvloop.run(_serve(arguments.host, _port(arguments.port), arguments.models, behaviour))
    except BadBehaviour as error:
        print(f"fairlead simulate: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"fairlead simulate: cannot listen: {error}; choose another port with --port", file=sys.stderr)
        return 1
    return 0


def _behaviour(arguments: argparse.Namespace) -> BehaviourSpec:
    """Raises ``BadBehaviour``, in the words of the command line."""
    behaviour = BehaviourSpec()
    for field, (option, _) in _OPTIONS.items():
        value = getattr(arguments, field)
        if value is None:
            continue
        try:
            behaviour = read_behaviour({BehaviourSpec.model_fields[field].alias: value}, behaviour)
        except BadBehaviour as error:
            raise BadBehaviour(f"{option} {value}: {error}") from error
    return behaviour


def _port(number: int) -> int:
    if not 0 <= number <= _LAST_PORT:
        raise BadBehaviour(f"--port {number}: takes a number from 0, which is any free one, to {_LAST_PORT}")
    return number


async def _serve(host: str, port: int, models: Sequence[str], behaviour: BehaviourSpec) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    runner = web.AppRunner(
        make_simulator_app(models, behaviour),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=_DRAIN_SECONDS,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        where = runner.addresses[0][1]
        print(f"Fairlead simulates a provider on http://localhost:{where}/v1", file=sys.stderr, flush=True)
        await stopping.wait()
        logger.info("stopping: requests in flight have %.0f s", _DRAIN_SECONDS)
    finally:
        await runner.cleanup()
