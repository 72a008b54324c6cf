"""Explains a decision that was made, from its record."""

from __future__ import annotations

import msgspec

from fairlead_contract.decision import DecisionRecord
from fairlead_router.config.table import Table
from fairlead_router.explain.policies import PolicyConsidered, consider


class ExplainedDecision(msgspec.Struct, frozen=True, rename="camel"):
    """A record, and the policies as they stand against its facts."""

    record: DecisionRecord
    policies: list[PolicyConsidered]
    policies_unchanged: bool
    """Whether ``policies`` are those that decided; false when the configuration has changed since."""


def explain_decision(table: Table, record: DecisionRecord) -> ExplainedDecision:
    """Hold what the record knows of the request against the policies of ``table``."""
    policies = consider(table, record.facts, record.classification)
    return ExplainedDecision(record, policies, table.used.digest == record.snapshot.digest)
