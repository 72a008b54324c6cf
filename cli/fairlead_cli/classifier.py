"""``fairlead classifier``: a classifier as a process of its own, for those who scale it apart from their routers."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from fairlead_cli.logs import configure_logging
from fairlead_cli.signals import obey_signals
from fairlead_cli.wording import cannot_listen
from fairlead_router.classifier_process import running_classifier
from fairlead_router.identify.api_keys import ApiKeysError
from fairlead_router.record.log_levels import BadLevels
from fairlead_router.settings import SettingError, Settings, from_environment

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

logger = logging.getLogger("fairlead.serve")

_PORT = 5001
_LAST_PORT = 65535
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_REDIS_PORT = re.compile(r"(?:tcp://.*:)?([0-9]{1,5})")
"""A number, or what Kubernetes writes into the variable for a Service that is called ``redis``."""


def add_parser(subparsers: Subparsers) -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "classifier",
        description="Serve POST /classify and GET /info, and no models. Routers ask it with FAIRLEAD_CLASSIFIER_URL.",
        epilog="Options are also read from the environment, as FAIRLEAD_<OPTION>. For more of it, run more of them.",
    )
    parser.add_argument("--host", help="address to listen on (default 0.0.0.0)")
    parser.add_argument("--port", type=int, help=f"port to listen on (default {_PORT})")
    parser.add_argument("--admin-host", help="address of metrics (default 127.0.0.1)")
    parser.add_argument("--admin-port", type=int, help="port of metrics (default 9090)")
    parser.add_argument(
        "--classifier-bundle", type=Path, metavar="DIR", help="bundle (default: the one that comes along)"
    )
    parser.add_argument("--classifier-bundles-dir", type=Path, metavar="DIR", help="versions kept by `fairlead bundle`")
    parser.add_argument("--classifier-rules", type=Path, metavar="FILE", help="further categories, rules and examples")
    parser.add_argument("--api-keys-file", type=Path, metavar="FILE", help="static API keys (JSON)")
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error")


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Returns 1 if it cannot start, 2 if it cannot be understood."""
    try:
        settings = read_settings(os.environ, arguments)
        configure_logging(settings.log_level)
    except (BadLevels, SettingError) as error:
        print(f"fairlead classifier: {error}", file=sys.stderr)
        return 2
    try:
        uvloop.run(_serve(settings))
    except (ApiKeysError, SettingError) as error:
        print(f"fairlead classifier: {error}", file=sys.stderr)
    except OSError as error:
        print(f"fairlead classifier: {cannot_listen(error)}", file=sys.stderr)
    else:
        return 0
    return 1


def read_settings(environment: Mapping[str, str], arguments: argparse.Namespace) -> Settings:
    """Those of a router, with the defaults of a classifier. Raises ``SettingError``."""
    overrides = {name: getattr(arguments, name, None) for name in Settings.__dataclass_fields__}
    known = {name for name in Settings.__dataclass_fields__ if environment.get(f"FAIRLEAD_{name.upper()}")}
    if overrides["port"] is None and "port" not in known and not environment.get("PORT"):
        overrides["port"] = _PORT
    if "classifier" not in known:
        overrides["classifier"] = "always"
    if "redis_url" not in known and not environment.get("REDIS_URL"):
        overrides["redis_url"] = _redis_url(environment)
    # Whoever is asked does not ask on.
    return replace(from_environment(environment, **overrides), classifier_url=None)


def _redis_url(environment: Mapping[str, str]) -> str | None:
    """From ``REDIS_HOST`` and ``REDIS_PORT``. Raises ``SettingError``."""
    host = environment.get("REDIS_HOST")
    if not host:
        return None
    text = environment.get("REDIS_PORT") or "6379"
    port = _REDIS_PORT.fullmatch(text)
    if port is None or int(port[1]) > _LAST_PORT:
        raise SettingError(f"REDIS_PORT={text!r}: takes the number of a port")
    if _NAME.fullmatch(host):
        return f"redis://{host}:{port[1]}"
    try:
        return f"redis://[{ipaddress.IPv6Address(host)}]:{port[1]}"
    except ValueError as error:
        raise SettingError(f"REDIS_HOST={host!r}: takes a name or an address; the port is REDIS_PORT") from error


async def _serve(settings: Settings) -> None:
    stopping = asyncio.Event()
    async with running_classifier(settings) as running:
        obey_signals(stopping, running.context.leaving, settings.drain_seconds)
        print(f"Fairlead classifies on http://localhost:{running.port}", file=sys.stderr, flush=True)
        await stopping.wait()
        logger.info("stopping: requests in flight have %.0f s", settings.shutdown_seconds)
        await running.leave()
