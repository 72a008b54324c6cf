"""What holds for every object, whatever the values."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead_router.settings import Settings
from tests.chart.helm import SYSTEM, Helm, Object, find, pod_templates
from tests.chart.value_sets import VALUE_SETS

every_set = pytest.mark.parametrize("name", VALUE_SETS)
_WITH_ACCOUNT = {"operator", "router"}


async def _pods(helm: Helm, name: str) -> dict[str, Object]:
    return pod_templates(await helm.render(VALUE_SETS[name]))


def _component(template: Object) -> str:
    return str(template["metadata"]["labels"]["app.kubernetes.io/component"])


@every_set
async def test_objects_bear_the_recommended_labels_and_are_where_they_belong(helm: Helm, name: str) -> None:
    for each in await helm.render(VALUE_SETS[name]):
        labels = each["metadata"].get("labels", {})
        if each["metadata"]["name"] == "fairlead-extra":
            continue
        wanted = {f"app.kubernetes.io/{key}" for key in ("name", "instance", "version", "managed-by", "part-of")}
        assert wanted <= labels.keys(), each["metadata"]["name"]
        cluster_scoped = each["kind"] in {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}
        watched = VALUE_SETS[name].get("rbac", {}).get("watchNamespaces", [])
        secrets = VALUE_SETS[name].get("rbac", {}).get("secretNamespaces", [])
        allowed = {None} if cluster_scoped else {SYSTEM, *watched, *secrets}
        assert each["metadata"].get("namespace") in allowed


async def test_names_of_kinds_and_instances_cannot_be_taken_by_labels_of_the_user(helm: Helm) -> None:
    stolen = {"app.kubernetes.io/component": "other"}
    values = {"commonLabels": stolen, "router": {"podLabels": stolen}}
    objects = await helm.render(values)
    assert _component(pod_templates(objects)["Deployment/fairlead-router"]) == "router"


@every_set
async def test_only_operator_and_routers_have_a_token(helm: Helm, name: str) -> None:
    for pod, template in (await _pods(helm, name)).items():
        wanted = _component(template) in _WITH_ACCOUNT
        assert template["spec"]["automountServiceAccountToken"] is wanted, pod


@every_set
async def test_accounts_mount_no_token_by_themselves(helm: Helm, name: str) -> None:
    for each in await helm.render(VALUE_SETS[name]):
        if each["kind"] == "ServiceAccount":
            assert each["automountServiceAccountToken"] is False


@every_set
async def test_no_pod_gets_variables_of_services_that_could_be_taken_for_settings(helm: Helm, name: str) -> None:
    """A Service called `fairlead` would otherwise set FAIRLEAD_PORT to `tcp://…`."""
    assert {template["spec"]["enableServiceLinks"] for template in (await _pods(helm, name)).values()} == {False}


@every_set
async def test_every_container_is_bounded_and_can_write_to_tmp_alone(helm: Helm, name: str) -> None:
    for pod, template in (await _pods(helm, name)).items():
        for container in template["spec"]["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"], pod
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), pod
            assert "memory" in container["resources"]["limits"], pod


@every_set
async def test_selectors_choose_the_pods_of_one_component(helm: Helm, name: str) -> None:
    objects = await helm.render(VALUE_SETS[name])
    pods = {pod: template["metadata"]["labels"] for pod, template in pod_templates(objects).items()}
    for each in objects:
        spec = each.get("spec", {})
        selector = {
            "Service": lambda spec: spec["selector"],
            "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda spec: spec["podSelector"]["matchLabels"],
            "Deployment": lambda spec: spec["selector"]["matchLabels"],
            "StatefulSet": lambda spec: spec["selector"]["matchLabels"],
        }.get(each["kind"])
        if selector:
            chosen = [pod for pod, labels in pods.items() if selector(spec).items() <= labels.items()]
            assert len(chosen) == 1, f"{each['kind']}/{each['metadata']['name']} chooses {chosen}"


@every_set
async def test_the_admin_port_is_in_services_without_an_address_only(helm: Helm, name: str) -> None:
    for each in await helm.render(VALUE_SETS[name]):
        if each["kind"] == "Service" and any(port["targetPort"] in {"admin", 9090} for port in each["spec"]["ports"]):
            assert each["spec"]["clusterIP"] == "None"
            assert each["spec"].get("type", "ClusterIP") == "ClusterIP"
        if each["kind"] == "Ingress":
            assert "admin" not in str(each["spec"])


async def test_only_the_operator_and_monitoring_reach_the_admin_port(helm: Helm) -> None:
    policy = find(await helm.render({}), "NetworkPolicy", "fairlead-router")
    (admin,) = [rule for rule in policy["spec"]["ingress"] if rule["ports"] == [{"port": "admin"}]]
    labels = [peer["podSelector"]["matchLabels"] for peer in admin["from"]]
    assert [found.get("app.kubernetes.io/component", found["app.kubernetes.io/name"]) for found in labels] == [
        "operator",
        "prometheus",
    ]


async def test_with_roles_only_nothing_is_of_the_cluster(helm: Helm) -> None:
    kinds = {each["kind"] for each in await helm.render(VALUE_SETS["namespaced"])}
    assert not kinds & {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}


async def test_autoscaling_leaves_the_number_of_routers_alone(helm: Helm) -> None:
    assert "replicas" not in find(await helm.render(VALUE_SETS["production"]), "Deployment", "fairlead-router")["spec"]
    assert find(await helm.render({}), "Deployment", "fairlead-router")["spec"]["replicas"] == 1


def _environment(objects: list[Object], name: str) -> dict[str, Any]:
    (container,) = pod_templates(objects)[name]["spec"]["containers"]
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container.get("env", [])}


async def test_operator_and_routers_agree_on_names(helm: Helm) -> None:
    objects = await helm.render({"fullnameOverride": "gateway"})
    operator, router = (_environment(objects, f"Deployment/gateway-{name}") for name in ("operator", "router"))
    for variable in ("FAIRLEAD_SNAPSHOT_CONFIG_MAP", "FAIRLEAD_CREDENTIALS_SECRET"):
        assert operator[variable] == router[variable]
    service = find(objects, "Service", operator["FAIRLEAD_ROUTER_SERVICE"])
    assert [port["name"] for port in service["spec"]["ports"]] == ["admin"]
    role = find(objects, "Role", "gateway-router")
    assert [rule["resourceNames"] for rule in role["rules"]] == [
        [router["FAIRLEAD_SNAPSHOT_CONFIG_MAP"]],
        [router["FAIRLEAD_CREDENTIALS_SECRET"]],
    ]


@pytest.mark.parametrize(
    ("values", "pod", "image"),
    [
        ({}, "Deployment/fairlead-router", "localhost/fairlead:0.1.0"),
        ({"image": {"repository": "r.example/f", "tag": "2"}}, "Deployment/fairlead-operator", "r.example/f:2"),
        (
            {"image": {"tag": "2", "digest": "sha256:" + "a" * 64}},
            "Pod/fairlead-test",
            "localhost/fairlead@sha256:" + "a" * 64,
        ),
        ({"redis": {"enabled": True}}, "StatefulSet/fairlead-redis", "redis:7.4-bookworm"),
    ],
)
async def test_a_digest_wins_over_a_tag(helm: Helm, values: dict[str, Any], pod: str, image: str) -> None:
    (container,) = pod_templates(await helm.render(values))[pod]["spec"]["containers"]
    assert container["image"] == image


async def test_what_redis_is_told_replaces_its_pod(helm: Helm) -> None:
    sums = []
    for line in ("", "save 60 1"):
        objects = await helm.render({"redis": {"enabled": True, "extraConfig": line}})
        sums.append(pod_templates(objects)["StatefulSet/fairlead-redis"]["metadata"]["annotations"]["checksum/config"])
    assert sums[0] != sums[1]


async def test_a_pod_has_the_time_it_needs_to_leave(helm: Helm) -> None:
    for name in VALUE_SETS:
        for pod, template in pod_templates(await helm.render(VALUE_SETS[name])).items():
            (container, *_) = template["spec"]["containers"]
            if _component(template) not in {"router", "classifier"}:
                continue
            told = {each["name"]: each["value"] for each in container["env"] if "value" in each}
            sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            needed = sleep + float(told.get("FAIRLEAD_DRAIN_SECONDS", Settings().drain_seconds))
            needed += float(told.get("FAIRLEAD_SHUTDOWN_SECONDS", Settings().shutdown_seconds))
            assert template["spec"].get("terminationGracePeriodSeconds", 30) > needed, (name, pod)


async def test_whoever_may_talk_to_a_redis_behind_an_authority_of_the_user_s_trusts_it(helm: Helm) -> None:
    objects = await helm.render(
        {"classifier": {"enabled": True}, "tls": {"trust": {"configMap": "own", "key": "own.pem"}}}
    )
    for component in ("router", "classifier"):
        spec = pod_templates(objects)[f"Deployment/fairlead-{component}"]["spec"]
        file = _environment(objects, f"Deployment/fairlead-{component}")["SSL_CERT_FILE"]
        folder, _, path = file.rpartition("/")
        (mount,) = [mount for mount in spec["containers"][0]["volumeMounts"] if mount["mountPath"] == folder]
        (volume,) = [volume for volume in spec["volumes"] if volume["name"] == mount["name"]]
        assert volume["configMap"] == {"name": "own", "items": [{"key": "own.pem", "path": path}]}


@pytest.mark.parametrize(
    ("redis", "file"),
    [
        ({"url": "redis://elsewhere"}, None),
        ({"url": "redis://elsewhere", "existingSecret": "its", "passwordKey": ""}, None),
        ({"url": "redis://elsewhere", "existingSecret": "its"}, "/etc/fairlead/redis/password"),
        ({"urlKey": "url", "existingSecret": "its"}, None),
        ({"enabled": True}, "/etc/fairlead/redis/password"),
    ],
)
async def test_a_password_is_read_where_there_is_one_apart_from_the_url(
    helm: Helm, redis: dict[str, Any], file: str | None
) -> None:
    """A key that the Secret lacks would keep the pod from starting."""
    objects = await helm.render({"redis": redis, "classifier": {"enabled": True}})
    for component in ("router", "classifier"):
        name = f"Deployment/fairlead-{component}"
        assert _environment(objects, name).get("FAIRLEAD_REDIS_PASSWORD_FILE") == file
        volumes = {volume["name"] for volume in pod_templates(objects)[name]["spec"]["volumes"]}
        assert ("redis-password" in volumes) is (file is not None)
