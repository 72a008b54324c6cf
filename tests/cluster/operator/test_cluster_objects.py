"""From `kubectl apply` to what routers do and what the status says."""

from __future__ import annotations

import asyncio
import json
import re
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from devcluster.processes import Process
from tests.cluster.operator.world import USER, World, admin_of, condition, policy, provider, until, version_of

FAST, SLOW = provider("fast"), provider("slow")


async def test_what_is_applied_is_obeyed_by_every_router_and_said_to_be_ready(world: World) -> None:
    await world.start()
    kubectl = world.installation.control_plane.kubectl
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": [FAST, SLOW, policy("chat", "fast")]})
    await kubectl("apply", "-f", "-", input=manifest)
    await kubectl("wait", "--for=condition=Ready", "rpol/chat", "mprov/fast", "mprov/slow", "--timeout=20s")
    await world.routed_to("fast", timeout=0)
    assert (await _row(world, "rpol")).items() >= {("NAME", "chat"), ("STRATEGY", "Weighted"), ("READY", "True")}
    assert (await _row(world, "mprov")).items() >= {("NAME", "fast"), ("MODELS", "1"), ("READY", "True")}

    # An edit is obeyed by the time it is said to be.
    await world.apply(policy("chat", "slow"))
    said = await world.shows(policy("chat", ""), "Programmed", "True")
    assert said["reason"] == "Programmed"
    await world.routed_to("slow", timeout=0)
    await world.settle()
    # Which policies use a provider is part of its own status.
    assert (await world.read(FAST))["status"]["usedByPolicies"] == 0

    await world.delete(policy("chat", ""))

    async def unrouted() -> bool:
        answers = [await world.chat(router) for router in world.installation.routers]
        return all(answer.status == 503 and "no_policy" in answer.text for answer in answers)

    await until(unrouted, "requests without a policy")


async def _row(world: World, kind: str) -> dict[str, str]:
    """The first line that `kubectl get` prints, by column."""
    header, row, *_ = (await world.installation.control_plane.kubectl("get", kind)).splitlines()
    starts = [match.start() for match in re.finditer(r"\S+", header)]
    ends = [*starts[1:], None]
    return {header[a:b].strip(): row[a:b].strip() for a, b in zip(starts, ends, strict=True)}


@pytest.mark.timeout(90)
async def test_who_writes_nothing_changes_nothing(world: World) -> None:
    """An idle operator, one edit among many objects, the same manifest again, and what stays a person's own."""
    operator = await world.start()
    teams = [policy(f"team-{number}", "fast", team=f"t{number}") for number in range(5)]
    for each in teams:
        each["metadata"] |= {"labels": {"owner": "someone"}, "annotations": {"note": "mine"}}
    await world.apply(FAST, SLOW, *teams)
    await world.settle()
    await _quiet(world, 1.5)

    before = await world.resource_versions()
    edited = {**teams[2], "spec": {**teams[2]["spec"], "priority": 77}}
    await world.apply(edited)
    await world.shows(edited, "Ready", "True")
    await _quiet(world, 1.5)
    after = await world.resource_versions()
    touched = {name.rpartition(" ")[2] for name in before if after.get(name) != before[name]}
    assert {name for name in touched if name.startswith("default/") and "." not in name} == {"default/team-2"}

    # Several lists and inquiries later, and with the same manifest applied again, all is as it was.
    await world.apply(FAST, SLOW, edited)
    started, versions, requests = time.monotonic(), await world.resource_versions(), await _writes(world, operator)
    while time.monotonic() - started < 12:
        assert await world.resource_versions() == versions
        await asyncio.sleep(1)
    # The API server passes over a write that changes nothing: it was not even asked for one.
    assert await _writes(world, operator) == requests

    for each in (FAST, edited):
        metadata = (await world.read(each))["metadata"]
        owners = [(item["manager"], item.get("subresource")) for item in metadata["managedFields"]]
        assert {manager for manager, subresource in owners if subresource != "status"} == {USER}
        assert {manager for manager, subresource in owners if subresource == "status"} == {"fairlead-operator-status"}
        assert "finalizers" not in metadata
        assert metadata.get("labels") == each["metadata"].get("labels")
        assert metadata.get("annotations") == each["metadata"].get("annotations")
    assert (await world.read(FAST))["metadata"]["generation"] == 1
    assert (await world.read(edited))["metadata"]["generation"] == 2


async def _writes(world: World, operator: Process) -> dict[str, float]:
    """What an operator has written so far, by its own count."""
    metrics = text_string_to_metric_families(await world.text_of(f"{admin_of(operator)}/metrics"))
    counted = {"fairlead_operator_status_writes", "fairlead_operator_publications", "fairlead_operator_events"}
    return {
        f"{sample.name} {sample.labels}": sample.value
        for family in metrics
        if family.name in counted
        for sample in family.samples
        if sample.name.endswith("_total")
    }


async def _quiet(world: World, seconds: float) -> None:
    """Until nothing was written for so long: Events and the pruning of credentials come after the statuses."""
    versions, since = await world.resource_versions(), time.monotonic()

    async def long_enough() -> bool:
        nonlocal versions, since
        now = await world.resource_versions()
        if now != versions:
            versions, since = now, time.monotonic()
        return time.monotonic() - since > seconds

    await until(long_enough, "nothing being written")


async def test_what_the_compiler_refuses_leaves_the_last_good_in_force_and_all_others_alone(world: World) -> None:
    await world.start()
    chat, other = policy("chat", "fast"), policy("other", "slow", team="red")
    await world.apply(FAST, SLOW, chat, other)
    await world.settle()
    untouched = version_of(await world.read(other))

    await world.apply(policy("chat", "slow", strategy="Pareto"))
    said = await world.shows(chat, "Accepted", "False", "NotImplemented")
    assert said["message"].startswith("spec.strategy: ")
    found = await world.read(chat)
    assert condition(found, "Programmed")["reason"] == "LastGoodInForce"
    assert condition(found, "Degraded")["message"] == "generation 1 stays in force, generation 2 is not"
    assert condition(found, "Stalled")["status"] == "True"
    await world.routed_to("fast", timeout=0)

    metadata_service = {"name": "main", "url": "http://169.254.169.254/v1"}
    refused = provider("fast", type="OpenAICompatible", endpoints=[metadata_service])
    del refused["spec"]["simulated"]
    await world.apply(refused)
    said = await world.shows(FAST, "Accepted", "False", "AddressNotAllowed")
    assert said["message"].startswith("spec.endpoints[0].url: ")
    await world.routed_to("fast", timeout=0)
    await world.routed_to("slow", team="red", timeout=0)

    await world.apply(FAST, policy("chat", "slow"))
    for healed in (FAST, chat):
        await world.shows(healed, "Ready", "True")
        assert not condition(await world.read(healed), "Degraded")
    await world.routed_to("slow", timeout=0)
    # All but the policies that use a provider kept the status they had.
    assert version_of(await world.read(other)) == untouched


async def test_what_is_invalid_from_the_start_is_not_in_force_and_an_unknown_reference_is_named(world: World) -> None:
    await world.start(routers=1)
    never, lost = policy("never", "fast", team="a", strategy="Pareto"), policy("lost", "nowhere", team="b")
    await world.apply(FAST, never, lost)
    await world.shows(never, "Programmed", "False", "NotInForce")
    said = await world.shows(lost, "ResolvedRefs", "False", "ProviderNotFound")
    assert "nowhere" in said["message"]
    await world.apply(provider("nowhere"))
    await world.shows(lost, "Ready", "True")
    await world.routed_to("nowhere", team="b", timeout=0)


async def test_a_paused_object_stays_as_it_is_until_the_annotation_goes(world: World) -> None:
    await world.start()
    chat = policy("chat", "fast")
    await world.apply(FAST, SLOW, chat)
    await world.settle()
    await world.kube.merge("/apis/fairlead.dev/v1alpha1/namespaces/default/routingpolicies/chat", _paused("true"))
    await world.shows(chat, "Accepted", "True", "Paused")

    await world.apply(policy("chat", "slow"))
    said = await world.shows(chat, "Accepted", "False", "Paused")
    assert "fairlead.dev/paused" in said["message"]
    await world.routed_to("fast", timeout=0)
    await world.kube.merge("/apis/fairlead.dev/v1alpha1/namespaces/default/routingpolicies/chat", _paused(None))
    await world.shows(chat, "Ready", "True", "Ready")
    await world.routed_to("slow", timeout=0)


def _paused(value: str | None) -> dict[str, object]:
    return {"metadata": {"annotations": {"fairlead.dev/paused": value}}}


@pytest.mark.timeout(90)
async def test_events_tell_what_happened_and_an_object_that_flips_cannot_flood_the_namespace(world: World) -> None:
    kubectl = world.installation.control_plane.kubectl
    await world.start(routers=1)
    good, bad = policy("chat", "fast"), policy("chat", "fast", strategy="Pareto")
    await world.apply(FAST, good)
    await world.settle()
    for _ in range(20):
        await world.apply(bad)
        await world.shows(bad, "Accepted", "False")
        await world.apply(good)
        await world.shows(good, "Accepted", "True")
    events, _ = await world.kube.list_all("/apis/events.k8s.io/v1/namespaces/default/events")
    uid = (await world.read(good))["metadata"]["uid"]
    about = [each for each in events if each["regarding"]["uid"] == uid]
    assert {each["reportingController"] for each in about} == {"fairlead.dev/operator"}
    assert {each["reason"] for each in about} >= {"Accepted", "NotImplemented"}
    assert 2 <= len(about) <= 10
    repeated = next(each for each in about if each["reason"] == "NotImplemented")
    assert repeated["series"]["count"] >= 2
    assert repeated["note"].startswith("spec.strategy: ")

    described = await kubectl("describe", "rpol", "chat")
    assert "spec.strategy: " in described.partition("Events:")[2]
    assert "NotImplemented" in described.partition("Events:")[2]
