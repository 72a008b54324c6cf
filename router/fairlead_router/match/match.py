"""Which policy decides a request, or which model it calls by name.

All of it is pure: facts, and a classification where one is needed, decide alone, so that a record can be matched again.
"""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_contract.decision import Classification, Facts
from fairlead_router.config.table import ModelEntry, PolicyEntry, Table
from fairlead_router.errors import model_ambiguous, model_not_found, no_policy
from fairlead_router.match.index import rank_of_first

AUTO = "auto"
"""The model name that leaves the choice to policies."""


def match(table: Table, facts: Facts, classification: Classification | None = None) -> PolicyEntry | ModelEntry:
    """What decides, as in :func:`decided`; ``classification`` as :func:`asks_classifier` had it made, or ``None``."""
    survivors = table.index.matching(facts)
    if classification is not None:
        survivors = table.index.narrowed(survivors, classification)
    return decided(table, facts, survivors)


def asks_classifier(table: Table, survivors: int) -> bool:
    """Whether it matters what the request is about, ``survivors`` being the policies that match as far as is known.

    It does if the first of them has need of it. If the first has none, it decides, and those after it have no say.
    """
    rank = rank_of_first(survivors)
    return rank is not None and table.policies[rank].needs_classification


def decided(table: Table, facts: Facts, survivors: int) -> PolicyEntry | ModelEntry:
    """The first of ``survivors``, or the one model of that name. Raises ``RouterError`` when there is neither."""
    rank = rank_of_first(survivors)
    if rank is not None:
        return table.policies[rank]
    name = facts.requested_model
    found = table.models_named(facts.namespace, name)
    if len(found) == 1:
        return found[0]
    if found:
        raise model_ambiguous(name, sorted(unambiguous_name(each, found) for each in found))
    if name == AUTO:
        raise no_policy(facts.workspace)
    raise model_not_found(name, facts.workspace)


def unambiguous_name(entry: ModelEntry, namesakes: Sequence[ModelEntry]) -> str:
    """``provider/model`` where that is enough to tell ``entry`` from ``namesakes``, else ``namespace/provider/model``."""
    alike = [each for each in namesakes if each.ref.provider == entry.ref.provider]
    return entry.key if len(alike) > 1 else f"{entry.ref.provider}/{entry.ref.model}"
