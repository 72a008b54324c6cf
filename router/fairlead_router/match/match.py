"""Which policy decides a request, or which model it calls by name."""

from __future__ import annotations

from collections.abc import Sequence

from fairlead_contract.decision import Facts
from fairlead_router.config.table import ModelEntry, PolicyEntry, Table
from fairlead_router.errors import model_ambiguous, model_not_found, no_policy

AUTO = "auto"
"""The model name that leaves the choice to policies."""


def match(table: Table, facts: Facts) -> PolicyEntry | ModelEntry:
    """The policy that decides, or the one model of that name. Raises ``RouterError`` when there is neither."""
    rank = table.index.first(facts)
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
