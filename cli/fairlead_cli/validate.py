"""``fairlead validate``: what is wrong with resource files, in the form compilers have."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

import msgspec

from fairlead_cli.files.arguments import add_namespace_arguments, platform_namespaces
from fairlead_cli.files.compiler import locate
from fairlead_cli.files.frames import LocatedFinding
from fairlead_cli.files.problems import Problem
from fairlead_cli.files.source import FolderReader
from fairlead_crds.compile import Settings, compile_resources

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

OK, FOUND_ERRORS, USAGE = 0, 1, 2

_COLOURS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "note": "\x1b[1;36m"}
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


class Remark(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One line of output: a problem of a file or a finding about an object."""

    file: str
    line: int
    column: int
    severity: str
    """``error``, ``warning`` or ``note``."""
    reason: str
    kind: str = ""
    namespace: str = ""
    name: str = ""
    field: str = ""
    message: str


def add_parser(subparsers: Subparsers) -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "validate",
        description="Check resource files as a whole, with all references between them.",
        epilog="exit status: 0 valid, 1 errors (with --strict also warnings), 2 wrong usage",
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", help="file, or folder that is searched downwards")
    parser.add_argument("--json", action="store_true", help="print a JSON array instead of lines")
    parser.add_argument("--strict", action="store_true", help="let warnings fail too")
    add_namespace_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check the paths of ``arguments`` and print. Returns the exit status."""
    missing = [path for path in arguments.paths if not os.path.exists(path)]
    if missing:
        print(f"fairlead validate: no such file or folder: {', '.join(missing)}", file=sys.stderr)
        return USAGE
    remarks, files, objects = check(
        arguments.paths,
        platform_namespaces=platform_namespaces(arguments),
        default_namespace=arguments.default_namespace,
    )
    if arguments.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(remarks), indent=2).decode() + "\n")
    else:
        paint = _is_colourful(sys.stdout)
        for remark in remarks:
            print(format_remark(remark, paint=paint))
    errors = sum(remark.severity == "error" for remark in remarks)
    warnings = sum(remark.severity == "warning" for remark in remarks)
    print(
        f"{_count(objects, 'object')} in {_count(files, 'file')}: "
        f"{_count(errors, 'error')}, {_count(warnings, 'warning')}",
        file=sys.stderr,
    )
    return FOUND_ERRORS if errors or (arguments.strict and warnings) else OK


def check(
    paths: Iterable[str], *, platform_namespaces: frozenset[str], default_namespace: str
) -> tuple[list[Remark], int, int]:
    """All remarks about ``paths``, sorted by file and place, and the numbers of files and of objects read."""
    reading = FolderReader(tuple(paths), default_namespace).read()
    # Without a history a paused object would be out of force, and what refers to it in error.
    settings = Settings(platform_namespaces, default_namespace, heed_pauses=False)
    compilation = compile_resources(reading.resources, None, settings)
    remarks = [_from_problem(problem) for problem in reading.problems]
    remarks += [_from_finding(finding) for finding in locate(compilation.findings, reading)]
    return sorted(remarks), reading.files, len(reading.resources.objects)


def format_remark(remark: Remark, *, paint: bool = False) -> str:
    """``file:12:7: error: RoutingPolicy default/chat spec.targets[0]: message [Reason]``."""
    place = f"{remark.file or '-'}:{remark.line}:{remark.column}:"
    severity = f"{remark.severity}:"
    if paint:
        place = f"{_BOLD}{place}{_PLAIN}"
        severity = f"{_COLOURS[remark.severity]}{severity}{_PLAIN}"
    subject = f"{remark.kind} {remark.namespace}/{remark.name} {remark.field}".rstrip() + ": " if remark.kind else ""
    return f"{place} {severity} {subject}{remark.message} [{remark.reason}]"


def _from_problem(problem: Problem) -> Remark:
    return Remark(
        file=problem.file,
        line=problem.line,
        column=problem.column,
        severity=problem.severity.value.lower(),
        reason=problem.reason.value,
        message=problem.message,
    )


def _from_finding(finding: LocatedFinding) -> Remark:
    return Remark(
        file=finding.file,
        line=finding.line,
        column=finding.column,
        severity=finding.severity.lower(),
        reason=finding.reason,
        kind=finding.kind,
        namespace=finding.namespace,
        name=finding.name,
        field=finding.field,
        message=finding.message,
    )


def _is_colourful(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
