"""Every object of the chart at a real API server, in a namespace that admits nothing but `restricted` pods."""

from __future__ import annotations

import json

import pytest

from devcluster.control_plane import ControlPlane, KubectlFailed
from tests.chart.helm import SYSTEM, Helm, Object, pod_templates
from tests.chart.value_sets import VALUE_SETS


@pytest.mark.usefixtures("kinds")
async def test_an_api_server_accepts_every_object_and_every_pod(control_plane: ControlPlane, helm: Helm) -> None:
    """Controllers make pods later, and a Deployment is never refused for them: so each pod is tried itself."""
    kubectl = control_plane.kubectl
    for name, values in VALUE_SETS.items():
        rendered = await helm.render(values)
        accepted = await kubectl(
            *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict"),
            *("-o", "name", "-f", "-"),
            input=_as_list(rendered),
        )
        assert len(accepted.splitlines()) == len(rendered), name
        pods = [_as_pod(f"judged-{number}", each) for number, each in enumerate(pod_templates(rendered).values())]
        said = await kubectl("create", "--dry-run=server", "-o", "name", "-f", "-", input=_as_list(pods))
        assert said.split() == [f"pod/judged-{number}" for number in range(len(pods))], name


async def test_the_namespace_of_these_tests_does_refuse_a_pod_that_may_do_more(
    control_plane: ControlPlane, helm: Helm
) -> None:
    pods = pod_templates(await helm.render({"securityContext": {"allowPrivilegeEscalation": True}}))
    more = _as_pod("more", pods["Deployment/fairlead-router"])
    with pytest.raises(KubectlFailed, match="violates PodSecurity"):
        await control_plane.kubectl("create", "--dry-run=server", "-f", "-", input=_as_list([more]))


def _as_list(objects: list[Object]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def _as_pod(name: str, template: Object) -> Object:
    """A pod of that template, with an account that exists."""
    metadata = template["metadata"] | {"name": name, "namespace": SYSTEM}
    spec = template["spec"] | {"serviceAccountName": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
