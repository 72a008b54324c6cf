"""Every rule over several fields: what it accepts, what it refuses and what it says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fairlead_crds.errors import ErrorReason
from fairlead_crds.kinds import KINDS
from fairlead_crds.kinds.common import Model
from fairlead_crds.kinds.rules import Rule
from fairlead_crds.parse import parse_object
from tests.crds.crd_rule_cases import CASES, RuleCase


def _models(of: type[Model]) -> Iterator[type[Model]]:
    for model in of.__subclasses__():
        yield model
        yield from _models(model)


RULES: list[tuple[type[Model], Rule]] = [(model, rule) for model in _models(Model) for rule in model.rules]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_accepts_what_keeps_it(case: RuleCase) -> None:
    parsed = parse_object(case.accepted_object)
    assert not isinstance(parsed, list), [str(error) for error in parsed]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_rule_refuses_what_breaks_it_and_says_how_to_mend(case: RuleCase) -> None:
    errors = parse_object(case.refused_object)
    assert isinstance(errors, list)
    assert [(error.path, error.reason) for error in errors] == [(case.path, ErrorReason.RULE)]
    assert errors[0].message.startswith(case.message)


def test_every_rule_of_every_model_has_a_case() -> None:
    refusing = [case.message for case in CASES]
    untested = [rule.message for _, rule in RULES if not any(rule.message.startswith(begin) for begin in refusing)]
    assert untested == []


@pytest.mark.parametrize(("model", "rule"), RULES, ids=lambda part: getattr(part, "__name__", ""))
def test_a_message_names_the_mistake_and_after_a_colon_the_mending(model: type[Model], rule: Rule) -> None:
    mistake, colon, mending = rule.message.partition(": ")
    assert mistake
    assert colon
    assert mending
    assert len(rule.message) < 2048
    assert "\n" not in rule.message


def test_several_broken_rules_of_one_object_are_all_reported() -> None:
    base = CASES[0].base
    document = base | {"spec": base["spec"] | {"bedrock": {"region": "eu-west-1"}, "simulated": {}}}
    errors = parse_object(document)
    assert isinstance(errors, list)
    assert [error.path for error in errors] == ["spec.bedrock", "spec.simulated"]


def test_the_kinds_are_the_four_of_the_api() -> None:
    assert list(KINDS) == ["ModelProvider", "RoutingPolicy", "ABTest", "WorkspaceBudget"]
