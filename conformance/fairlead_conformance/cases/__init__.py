"""The cases, one file for each part of the contract. In comes a lab, out goes what was seen; no file knows another."""

from __future__ import annotations

from fairlead_conformance.case import cases_of
from fairlead_conformance.cases import before, content, cuts, ends, framing, hangups, requests, usage, whole

CASES = cases_of(framing, content, ends, cuts, before, hangups, usage, whole, requests)
"""All of them, in the order of the report."""
