"""What values the chart takes, and what it says of others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.helm import Helm, HelmFailed, find
from tests.chart.rendered import path_of, snapshot
from tests.chart.value_sets import VALUE_SETS


@pytest.mark.parametrize("name", VALUE_SETS)
async def test_lint_finds_nothing(helm: Helm, name: str) -> None:
    assert "0 chart(s) failed" in await helm.lint(VALUE_SETS[name])


@pytest.mark.parametrize("name", VALUE_SETS)
async def test_what_is_rendered_is_what_was_reviewed(helm: Helm, name: str) -> None:
    assert await snapshot(helm, name) == path_of(name).read_text(), "if this is meant: python -m tests.chart.rendered"


def test_every_snapshot_belongs_to_a_set_of_values() -> None:
    assert {path.stem for path in path_of("any").parent.iterdir()} == set(VALUE_SETS)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"router": {"replicaCount": 2}}, ["at '/router'", "'replicaCount' not allowed"]),
        ({"routers": {}}, ["'routers' not allowed"]),
        ({"router": {"replicas": "two"}}, ["at '/router/replicas'", "want integer"]),
        ({"router": {"replicas": -1}}, ["at '/router/replicas'", "minimum"]),
        ({"router": {"workers": "all"}}, ["at '/router/workers'"]),
        ({"router": {"settings": {"maxBodyByte": 1}}}, ["at '/router/settings'", "'maxBodyByte' not allowed"]),
        ({"router": {"settings": {"maxBodyBytes": "10 MiB"}}}, ["at '/router/settings/maxBodyBytes'", "want integer"]),
        ({"router": {"settings": {"redisUrl": "redis://x"}}}, ["'redisUrl' not allowed"]),
        ({"operator": {"logLevel": "verbose"}}, ["at '/operator/logLevel'", "'debug'"]),
        ({"image": {"digest": "latest"}}, ["at '/image/digest'"]),
        ({"imagePullSecrets": ["pull"]}, ["at '/imagePullSecrets/0'", "want object"]),
        ({"rbac": {"watchNamespaces": ["Team_A"]}}, ["at '/rbac/watchNamespaces/0'"]),
        ({"redis": {"url": "localhost:6379"}}, ["at '/redis/url'"]),
        ({"router": {"resources": {"limit": {}}}}, ["at '/router/resources'", "'limit' not allowed"]),
        ({"router": {"podAnnotations": {"a": 1}}}, ["at '/router/podAnnotations/a'", "want string"]),
        ({"router": {"service": {"port": 70000}}}, ["at '/router/service/port'", "maximum"]),
    ],
)
async def test_a_value_that_is_misspelt_or_of_a_wrong_type_is_refused_by_name(
    helm: Helm, values: dict[str, Any], said: list[str]
) -> None:
    with pytest.raises(HelmFailed) as refused:
        await helm.render(values)
    assert [each for each in said if each not in str(refused.value)] == [], str(refused.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"router": {"replicas": 2}}, "2 routers (router.replicas) need a Redis that they share: set redis.enabled"),
        ({"router": {"autoscaling": {"enabled": True}}}, "10 routers (router.autoscaling.maxReplicas) need a Redis"),
        ({"redis": {"enabled": True, "url": "redis://elsewhere"}}, "set only one of them"),
        ({"redis": {"urlKey": "url"}}, "name the Secret in redis.existingSecret"),
        ({"redis": {"enabled": True, "passwordKey": ""}}, "redis.passwordKey is empty"),
        (
            {"router": {"shutdownSeconds": 60}},
            "terminationGracePeriodSeconds is 45, but preStopSleepSeconds + drainSeconds + shutdownSeconds + 5 are 73",
        ),
        (
            {"redis": {"enabled": True}, "router": {"autoscaling": {"enabled": True, "minReplicas": 11}}},
            "minReplicas (11) is more than maxReplicas (10)",
        ),
        (
            {
                "redis": {"enabled": True},
                "router": {"autoscaling": {"enabled": True, "targetCPUUtilizationPercentage": 0}},
            },
            "router.autoscaling aims at nothing",
        ),
        ({"rbac": {"watchNamespaces": ["a"], "secretNamespaces": ["*"]}}, "takes a ClusterRole"),
        ({"ingress": {"enabled": True}}, "name at least one host"),
        ({"tls": {"existingSecret": "tls"}}, "routers themselves speak HTTP: set ingress.enabled"),
        ({"tls": {"certManager": {"enabled": True}}}, "tls.certManager.issuerRef"),
        ({"tls": {"certManager": {"enabled": True, "issuerRef": {"name": "x"}}}}, "set ingress.enabled"),
        ({"router": {"workers": "auto"}}, "set router.resources.limits.cpu, or a number of workers"),
        (
            {"classifier": {"enabled": True}, "router": {"settings": {"classifierUrl": "http://other"}}},
            "take classifierUrl and classifier out of router.settings",
        ),
    ],
)
async def test_values_that_do_not_go_together_are_refused_with_what_to_do(
    helm: Helm, values: dict[str, Any], said: str
) -> None:
    with pytest.raises(HelmFailed) as refused:
        await helm.render(values)
    assert said in str(refused.value)


async def test_settings_become_variables_with_all_their_digits(helm: Helm) -> None:
    settings = {
        "maxBufferedBytes": 12345678901,
        "queueSeconds": 0.25,
        "idempotency": False,
        "classifierErrorPercent": "2.5",
    }
    objects = await helm.render({"router": {"settings": settings}})
    (container,) = find(objects, "Deployment", "fairlead-router")["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    assert environment["FAIRLEAD_MAX_BUFFERED_BYTES"] == "12345678901"
    assert environment["FAIRLEAD_QUEUE_SECONDS"] == "0.25"
    assert environment["FAIRLEAD_IDEMPOTENCY"] == "false"
    assert environment["FAIRLEAD_CLASSIFIER_ERROR_PERCENT"] == "2.5"
    assert len(environment) == len(container["env"]), "a variable is there twice"


@pytest.mark.parametrize(
    ("release", "values", "wanted"),
    [
        ("fairlead", {}, "fairlead-router"),
        ("my-fairlead", {}, "my-fairlead-router"),
        ("llm", {}, "llm-fairlead-router"),
        ("llm", {"nameOverride": "gate"}, "llm-gate-router"),
        ("llm", {"fullnameOverride": "gate"}, "gate-router"),
        ("a" * 53, {}, "a" * 40 + "-router"),
    ],
)
async def test_names_follow_the_release(helm: Helm, release: str, values: dict[str, Any], wanted: str) -> None:
    objects = await helm.render(values, release=release)
    find(objects, "Deployment", wanted)
    assert all(len(each["metadata"]["name"]) <= 63 for each in objects)
