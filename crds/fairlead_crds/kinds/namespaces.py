"""AllowedNamespaces: who may refer to a provider."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from fairlead_crds.kinds.common import Choice, Model
from fairlead_crds.kinds.rules import Atomic, ListSet, Rule
from fairlead_crds.kinds.scalars import (
    LABEL_KEY,
    LABEL_VALUE,
)


class NamespacesFrom(Choice):
    """Which namespaces may refer to a provider."""

    SAME = "Same"
    ALL = "All"
    SELECTOR = "Selector"


class SelectorOperator(Choice):
    """How a label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=317, pattern=LABEL_KEY)]
LabelValue = Annotated[str, StringConstraints(max_length=63, pattern=LABEL_VALUE)]


class LabelRequirement(Model):
    """One condition on a label."""

    key: LabelKey = Field(description="Key of the label.")
    operator: SelectorOperator = Field(
        description="In and NotIn compare with values; Exists and DoesNotExist take none."
    )
    values: Annotated[tuple[LabelValue, ...], ListSet(max=32)] = Field((), description="Values for In and NotIn.")

    rules = (
        Rule(
            cel="(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            message="In and NotIn need values, Exists and DoesNotExist take none: add or remove values",
            check=lambda r: (r.operator in (SelectorOperator.IN, SelectorOperator.NOT_IN)) == bool(r.values),
        ),
    )


class LabelSelector(Model):
    """Namespaces by their labels; every condition must hold."""

    match_labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=32)] = Field(
        default_factory=dict, description="Labels the namespace must carry with exactly these values."
    )
    match_expressions: Annotated[tuple[LabelRequirement, ...], Atomic(max=32)] = Field(
        (), description="Further conditions on labels."
    )

    rules = (
        Rule(
            cel="(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && "
            "size(self.matchExpressions) > 0)",
            message="an empty selector would admit every namespace: add matchLabels or matchExpressions, or say "
            "from: All",
            check=lambda s: bool(s.match_labels) or bool(s.match_expressions),
        ),
    )


class AllowedNamespaces(Model):
    """Which namespaces may refer to the provider's models."""

    from_: NamespacesFrom = Field(
        NamespacesFrom.SAME, description="Same: only the provider's own namespace. All: any. Selector: by label."
    )
    selector: LabelSelector | None = Field(None, description="The namespaces admitted by from: Selector.")

    rules = (
        Rule(
            cel="(self.from == 'Selector') == has(self.selector)",
            message="selector goes with from: Selector and only with it: set from to Selector or remove selector",
            check=lambda a: (a.from_ is NamespacesFrom.SELECTOR) == (a.selector is not None),
        ),
    )
