"""``python -m fairlead_conformance --gateway URL --upstream-port N --fallback-port N``: judge one gateway.

The gateway has been told to send to ``http://HOST:N/v1``; this program listens there while it judges. Exit status 0: no must
failed; 1: some did; 2: it could not be judged.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from fairlead_conformance.case import Case
from fairlead_conformance.cases import CASES
from fairlead_conformance.client import Gateway, connection
from fairlead_conformance.lab import Declared
from fairlead_conformance.provider import fake_provider
from fairlead_conformance.report import conforms, summary, table, write_json
from fairlead_conformance.run import Verdict, run_cases


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge, print, and say with the exit status whether the contract is kept."""
    given = _parser().parse_args(arguments)
    cases = _chosen(given.only)
    if given.list:
        print("\n".join(f"{each.clause:<4} {each.severity.value:<6} {each.id:<26} {each.title}" for each in cases))
        return 0
    if given.gateway is None or given.upstream_port is None:
        print("fairlead-conformance: --gateway and --upstream-port say what to judge and how", file=sys.stderr)
        return 2
    try:
        verdicts = asyncio.run(_judge(given, cases))
    except OSError as error:
        print(f"fairlead-conformance: {error}; is the gateway there, and are the ports free?", file=sys.stderr)
        return 2
    print(table(verdicts))
    print(f"\n{given.name or given.gateway}: {summary(verdicts)}")
    if given.json is not None:
        write_json(verdicts, given.name or given.gateway, given.json)
    return 0 if conforms(verdicts) else 1


async def _judge(given: argparse.Namespace, cases: Sequence[Case]) -> list[Verdict]:
    gateway = Gateway(given.gateway.rstrip("/"), given.model, given.api_key, dict(given.header))
    declared = Declared(given.idle_seconds, given.first_byte_seconds, given.fallback, given.hangup_seconds)
    async with connection(gateway):
        pass  # That nobody is there is no verdict on anybody.
    async with fake_provider(given.upstream_host, given.upstream_port, given.fallback_port) as provider:
        return await run_cases(cases, gateway, provider, declared, at_once=given.at_once)


def _chosen(only: Sequence[str]) -> tuple[Case, ...]:
    unknown = set(only) - {each.id for each in CASES}
    if unknown:
        raise SystemExit(f"fairlead-conformance: no case is called {', '.join(sorted(unknown))}; --list shows all")
    return tuple(each for each in CASES if not only or each.id in only)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise argparse.ArgumentTypeError(f"{text!r} is no header; write NAME: VALUE")
    return name.strip(), value.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fairlead-conformance", description=__doc__)
    parser.add_argument("--gateway", metavar="URL", help="base URL as an OpenAI client has it, with /v1")
    parser.add_argument("--name", help="what the report calls the gateway (default: its URL)")
    parser.add_argument("--model", default="auto", help="model to ask for (default auto)")
    parser.add_argument("--api-key", metavar="KEY", help="sent as Authorization: Bearer")
    parser.add_argument("--header", type=_header, action="append", default=[], metavar="NAME: VALUE")
    parser.add_argument("--upstream-host", default="127.0.0.1", metavar="HOST", help="address to listen on")
    parser.add_argument("--upstream-port", type=int, metavar="N", help="port that the gateway's provider is at")
    parser.add_argument("--fallback-port", type=int, default=0, metavar="N", help="port of its fallback provider")
    parser.add_argument("--fallback", action="store_true", help="the gateway falls back to the second port")
    parser.add_argument("--idle-seconds", type=float, metavar="S", help="idle timeout the gateway is set to")
    parser.add_argument("--first-byte-seconds", type=float, metavar="S", help="first-byte timeout it is set to")
    parser.add_argument("--hangup-seconds", type=float, default=2.0, metavar="S", help="allowed for a hang-up (2)")
    parser.add_argument("--at-once", type=int, default=8, metavar="N", help="cases at the same time (8)")
    parser.add_argument("--only", action="append", default=[], metavar="CASE", help="judge this case; may be repeated")
    parser.add_argument("--list", action="store_true", help="print the cases and judge nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdicts there too")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
