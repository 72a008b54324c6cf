"""The command-line arguments that everything which compiles files has in common."""

from __future__ import annotations

import argparse

PLATFORM_NAMESPACES = ("default", "fairlead-system")
"""With files there is one owner of everything, so the namespace that nobody has to write may do everything too."""

DEFAULT_NAMESPACE = "default"


def add_namespace_arguments(parser: argparse.ArgumentParser) -> None:
    """``--platform-namespace`` and ``--default-namespace``."""
    parser.add_argument(
        "--platform-namespace",
        metavar="NS",
        action="append",
        dest="platform_namespaces",
        help="namespace that may claim any workspace and set precedence; may be repeated "
        f"(default: {' and '.join(PLATFORM_NAMESPACES)})",
    )
    parser.add_argument(
        "--default-namespace",
        metavar="NS",
        default=DEFAULT_NAMESPACE,
        help="namespace of objects that name none, and owner of workspaces that nobody claims (default: %(default)s)",
    )


def platform_namespaces(arguments: argparse.Namespace) -> frozenset[str]:
    """The platform namespaces that ``arguments`` ask for."""
    return frozenset(arguments.platform_namespaces or PLATFORM_NAMESPACES)
