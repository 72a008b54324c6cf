"""Runs cases against one gateway, several at a time, and turns what comes of each into a verdict."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from fairlead_conformance.case import MUST, Case, Severity
from fairlead_conformance.client import Gateway
from fairlead_conformance.lab import Declared, Failed, Lab, NotApplicable
from fairlead_conformance.provider import Provider

PATIENCE_SECONDS = 25.0
"""For one case, longer than any of them may take: a gateway that never answers fails, and the others go on."""


class Outcome(Enum):
    """What came of a case."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A case and what was seen."""

    id: str
    clause: str
    severity: Severity
    title: str
    outcome: Outcome
    evidence: str

    @property
    def breaks_the_contract(self) -> bool:
        """Whether it failed where the contract says must."""
        return self.outcome is Outcome.FAIL and self.severity is MUST


async def run_cases(
    cases: Sequence[Case],
    gateway: Gateway,
    provider: Provider,
    declared: Declared,
    *,
    at_once: int = 8,
    patience: float = PATIENCE_SECONDS,
    told: Callable[[Verdict], None] = lambda _: None,
) -> list[Verdict]:
    """A verdict for each case, in their order; ``told`` hears each as soon as it is there. ``patience`` is seconds a case."""
    places = asyncio.Semaphore(at_once)

    async def one(case: Case) -> Verdict:
        async with places:
            verdict = await judge(case, Lab(case.id, gateway, provider, declared), patience)
        told(verdict)
        return verdict

    found = await asyncio.gather(*(one(each) for each in cases if not each.last))
    found += [await one(each) for each in cases if each.last]
    places_of = {each.id: place for place, each in enumerate(cases)}
    return sorted(found, key=lambda verdict: places_of[verdict.id])


async def judge(case: Case, lab: Lab, patience: float = PATIENCE_SECONDS) -> Verdict:
    """Run one case. Whatever the gateway does becomes a verdict, never an exception."""
    outcome, evidence = Outcome.FAIL, f"no end within {patience:g} s"
    try:
        async with asyncio.timeout(patience):
            outcome, evidence = Outcome.PASS, await case.check(lab)
    except NotApplicable as reason:
        outcome, evidence = Outcome.NOT_APPLICABLE, str(reason)
    except Failed as reason:
        outcome, evidence = Outcome.FAIL, str(reason)
    except TimeoutError:
        outcome = Outcome.FAIL
    except (asyncio.IncompleteReadError, ConnectionError):
        outcome, evidence = Outcome.FAIL, "the gateway closed the connection without a status"
    except (ValueError, LookupError, TypeError, AttributeError, asyncio.LimitOverrunError) as error:
        outcome, evidence = Outcome.FAIL, f"an answer that no client would understand: {error!r:.80}"
    finally:
        lab.clean_up()
    return Verdict(case.id, case.clause, case.severity, case.title, outcome, " ".join(evidence.split()))
