"""A case: one thing the contract says, and how to see whether it is so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from types import ModuleType

from fairlead_conformance.lab import Lab


class Severity(Enum):
    """How much the contract insists."""

    MUST = "must"
    SHOULD = "should"


MUST, SHOULD = Severity.MUST, Severity.SHOULD

Check = Callable[[Lab], Awaitable[str]]
"""Returns what was seen; raises ``Failed`` or ``NotApplicable`` with the same."""


@dataclass(frozen=True, slots=True)
class Case:
    """See the module."""

    id: str
    clause: str
    """Of ``docs/streaming.md``."""
    severity: Severity
    title: str
    check: Check
    last: bool = False
    """It comes after all others, alone: a gateway may rightly keep the provider out for a while then."""


def case(name: str, clause: str, severity: Severity = MUST, *, last: bool = False) -> Callable[[Check], Case]:
    """Make a case of a function whose docstring is its title."""

    def make(check: Check) -> Case:
        assert check.__doc__ is not None, f"{name} needs a title"
        return Case(name, clause, severity, check.__doc__.strip().rstrip("."), check, last)

    return make


def cases_of(*modules: ModuleType) -> tuple[Case, ...]:
    """The cases of some modules, in the order in which they are written."""
    return tuple(each for module in modules for each in vars(module).values() if isinstance(each, Case))
