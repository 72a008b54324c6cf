"""The table of reasons, from which the documentation is made, leaves none out."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from fairlead_crds.compile import Reason, report
from fairlead_crds.kinds.scalars import REASON
from fairlead_operator.status import ConditionType, OperatorReason, reason_table
from fairlead_operator.status.reasons import CANARY_WORDS, FINDING_WORDS, OPERATOR_WORDS, CanaryReason
from tests.compile.test_compile_reasons import WARNINGS
from tests.operator.status.status_objects import WARNING_ONLY


@pytest.mark.parametrize("reason", [*OperatorReason, *Reason, *CanaryReason])
def test_every_reason_has_a_condition_a_meaning_and_a_remedy(reason: StrEnum) -> None:
    rows = [row for row in reason_table() if row[1] == reason]
    assert len(rows) == 1
    condition, _, meaning, remedy = rows[0]
    assert condition in [*ConditionType, "canary.reason"]
    assert meaning.endswith(".")
    assert remedy
    assert not remedy.endswith(".")


def test_the_table_has_nothing_else_and_goes_by_condition() -> None:
    table = reason_table()
    assert len(table) == len(OPERATOR_WORDS) + len(FINDING_WORDS) + len(CANARY_WORDS)
    order = [*ConditionType, "canary.reason"]
    assert [order.index(row[0]) for row in table] == sorted(order.index(row[0]) for row in table)


@pytest.mark.parametrize("reason", [*OperatorReason, *Reason])
def test_every_reason_is_one_the_api_server_takes(reason: StrEnum) -> None:
    assert re.fullmatch(REASON, reason)


def test_no_word_means_one_thing_to_the_compiler_and_another_to_the_operator() -> None:
    assert not {str(reason) for reason in OperatorReason} & {str(reason) for reason in Reason}
    assert OperatorReason.ACCEPTED == report.ACCEPTED
    assert OperatorReason.SUSPENDED == report.SUSPENDED
    assert OperatorReason.RESOLVED_REFS == report.RESOLVED_REFS


def test_what_is_only_ever_a_warning_is_called_one() -> None:
    assert WARNINGS - {Reason.PAUSED} == WARNING_ONLY
