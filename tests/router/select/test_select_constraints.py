"""Hard constraints, layer by layer, with the reason that is given."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_contract.decision import RemovedBy
from fairlead_contract.fragments import Constraints, Endpoint
from fairlead_router.select.constraints import HardConstraints, removal
from tests.router.builders import a_model, a_policy, a_provider, a_target, a_workspace, linked, ref, some_facts

NONE = Constraints()


def reason(
    *,
    model: dict[str, Any] | None = None,
    provider: dict[str, Any] | None = None,
    layer: Constraints = NONE,
    workspace: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
) -> tuple[RemovedBy, str] | None:
    entry = linked(a_policy(targets=(a_target(),)), a_provider(models=[a_model(**(model or {}))], **(provider or {})))
    hard = HardConstraints.of((layer,), None if workspace is None else a_workspace(**workspace))
    found = removal(entry.targets[0], some_facts(**(facts or {})), hard)
    return None if found is None else (found.by, found.message)


def in_regions(*regions: str | None) -> dict[str, Any]:
    return {
        "endpoints": tuple(
            Endpoint(f"e{number}", "https://x.example", region=region) for number, region in enumerate(regions)
        )
    }


@pytest.mark.parametrize(
    ("world", "by", "words"),
    [
        ({"provider": {"withheld": "SecretNotFound"}}, RemovedBy.PROVIDER, "withheld: SecretNotFound"),
        ({"model": {"state": "Inactive"}}, RemovedBy.MODEL_STATE, "is Inactive"),
        ({"model": {"type": "Embedding"}}, RemovedBy.REQUEST_TYPE, "requests of type Chat need Chat"),
        ({"workspace": {"allowed_models": (ref("other"),)}}, RemovedBy.ALLOWED_MODELS, "allowedModels"),
        ({"workspace": {"allowed_models": ()}}, RemovedBy.ALLOWED_MODELS, "allowedModels"),
        (
            {"layer": Constraints(required_capabilities=("Tools", "Vision")), "model": {"capabilities": ("Tools",)}},
            RemovedBy.CAPABILITY,
            "lacks: Vision",
        ),
        ({"layer": Constraints(required_capabilities=("Tools",))}, RemovedBy.CAPABILITY, "lacks: Tools"),
        (
            {"layer": Constraints(compliance=("GDPR", "HIPAA")), "model": {"compliance": ("GDPR",)}},
            RemovedBy.COMPLIANCE,
            "lacks: HIPAA",
        ),
        ({"layer": Constraints(regions=("eu", "us")), "provider": in_regions("ap")}, RemovedBy.REGION, "lies in eu/us"),
        ({"layer": Constraints(regions=("eu",)), "provider": in_regions(None)}, RemovedBy.REGION, "lies in eu"),
        (
            {"model": {"capabilities": ("Vision",)}, "facts": {"required_capabilities": ("Tools",)}},
            RemovedBy.CAPABILITY,
            "the request needs what it lacks: Tools",
        ),
        (
            {"model": {"context_window_tokens": 9}, "facts": {"estimated_input_tokens": 10}},
            RemovedBy.CONTEXT_WINDOW,
            "about 10 input tokens do not fit its context window of 9",
        ),
    ],
)
def test_a_violated_constraint_removes_with_its_reason(world: dict[str, Any], by: RemovedBy, words: str) -> None:
    found = reason(**world)
    assert found is not None
    assert found[0] is by
    assert words in found[1]


@pytest.mark.parametrize(
    "world",
    [
        {},
        {"model": {"state": "Deprecated"}},
        {"workspace": {"allowed_models": None}},
        {"workspace": {"allowed_models": (ref(),)}},
        {"layer": Constraints(compliance=("GDPR",)), "model": {"compliance": ("CCPA", "GDPR")}},
        {"layer": Constraints(regions=("eu",)), "provider": in_regions("us", "eu")},
        {"facts": {"required_capabilities": ("Tools",)}},
        {"model": {"context_window_tokens": 10}, "facts": {"estimated_input_tokens": 10}},
        {"model": {"type": "Chat"}, "facts": {"request_type": "Response"}},
        {"model": {"type": "Embedding"}, "facts": {"request_type": "Embedding"}},
    ],
)
def test_who_satisfies_every_constraint_stays(world: dict[str, Any]) -> None:
    assert reason(**world) is None


def test_a_reference_that_leads_nowhere_removes() -> None:
    entry = linked(a_policy(targets=(a_target(model="gone"),)), a_provider())
    found = removal(entry.targets[0], some_facts(), HardConstraints.of((), None))
    assert found is not None
    assert found.by is RemovedBy.REFERENCE
    assert found.message == "the reference to team-a/openai/gone is not resolved: ModelNotFound"


@pytest.mark.parametrize(
    ("policy", "workspace", "regions", "stays"),
    [
        (("eu", "us"), ("us",), ("us",), True),
        (("eu",), ("us",), ("eu", "us"), False),
        (("eu",), (), ("eu",), True),
        ((), ("us",), ("eu",), False),
    ],
)
def test_regions_of_policy_and_workspace_intersect_on_one_and_the_same_endpoint(
    policy: tuple[str, ...], workspace: tuple[str, ...], regions: tuple[str, ...], stays: bool
) -> None:
    found = reason(
        layer=Constraints(regions=policy),
        workspace={"constraints": Constraints(regions=workspace)},
        provider=in_regions(*regions),
    )
    assert (found is None) is stays


def test_what_policy_and_workspace_require_adds_up() -> None:
    found = reason(
        layer=Constraints(required_capabilities=("Tools",), compliance=("GDPR",)),
        workspace={"constraints": Constraints(required_capabilities=("Vision",))},
        model={"capabilities": ("Tools",), "compliance": ("GDPR",)},
    )
    assert found == (RemovedBy.CAPABILITY, "required capabilities it lacks: Vision")
