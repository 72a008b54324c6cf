"""The contract of ``docs/streaming.md``, kept: the whole suite against ``fairlead serve``."""

from __future__ import annotations

import asyncio

import pytest

from bench.conformance.gateways import FAIRLEAD
from bench.conformance.judging import judge
from fairlead_conformance.run import Outcome


@pytest.mark.timeout(150)
def test_fairlead_passes_every_case_must_and_should() -> None:
    # A core that two test runs share may take its time; how soon a hang-up is passed on is not what is tested here.
    title, verdicts = asyncio.run(judge(FAIRLEAD, hang_up_seconds=6.0))
    failed = {each.id: each.evidence for each in verdicts if each.outcome is not Outcome.PASS}
    assert (title, failed) == ("Fairlead", {})
    assert len(verdicts) > 90
