"""A model of a ModelProvider, changed as plain data. Pure."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from fairlead_contract.updates import ModelChange

_FIELDS = {
    "display_name": "displayName",
    "version": "version",
    "type": "type",
    "status": "state",
    "capabilities": "capabilities",
    "context_window_tokens": "contextWindowTokens",
    "max_output_tokens": "maxOutputTokens",
}
_DEFAULTS = {"type": "Chat", "state": "Active"}


class PricesStand(Exception):
    """A model that has prices keeps them: what was billed is never priced anew."""


def wanted_fields(change: ModelChange) -> dict[str, Any]:
    """What ``change`` says, in the words of the API."""
    fields: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        value = getattr(change, name)
        if value is not None:
            fields[field] = list(value) if isinstance(value, tuple) else value
    if change.status is not None:
        fields["state"] = change.status.capitalize()
    prices = (change.input_usd_per_million_tokens, change.output_usd_per_million_tokens)
    if prices != (None, None):
        named = zip(("inputUSDPerMillionTokens", "outputUSDPerMillionTokens"), prices, strict=True)
        fields["prices"] = [{name: price for name, price in named if price is not None}]
    return fields


def new_model(change: ModelChange) -> dict[str, Any]:
    """The entry of a model that was not there."""
    fields = wanted_fields(change)
    return {"name": change.id} | {name: value for name, value in fields.items() if _DEFAULTS.get(name) != value}


def differing(model: dict[str, Any], change: ModelChange) -> dict[str, Any]:
    """The fields in which ``model`` is not yet as ``change`` has it. Raises :class:`PricesStand`."""
    found = {}
    for name, value in wanted_fields(change).items():
        present = model.get(name, _DEFAULTS.get(name))
        if present == value:
            continue
        if name == "prices" and present:
            raise PricesStand
        found[name] = value
    return found


def position_of(provider: dict[str, Any], name: str) -> int | None:
    """Where in the provider's list the model of that name stands."""
    models = _models(provider)
    return next(
        (place for place, model in enumerate(models) if isinstance(model, dict) and model.get("name") == name), None
    )


def with_model(provider: dict[str, Any], place: int | None, fields: dict[str, Any]) -> dict[str, Any]:
    """``provider`` with ``fields`` set in its model at ``place``, or (``None``) a new model of them."""
    changed = deepcopy(provider)
    models = _models(changed)
    if place is None:
        models.append(fields)
    else:
        models[place] |= fields
    return changed


def _models(provider: dict[str, Any]) -> list[Any]:
    spec = provider.get("spec")
    models = spec.get("models") if isinstance(spec, dict) else None
    return models if isinstance(models, list) else []
