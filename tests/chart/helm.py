"""Helm itself, as the tests call it, and what it renders."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from devcluster.programs import program

CHART = Path(__file__).parents[2] / "charts" / "fairlead"
SYSTEM = "fairlead-system"
Object = dict[str, Any]
Values = Mapping[str, Any]


class HelmFailed(Exception):
    """What Helm said."""


@dataclass(frozen=True, slots=True)
class Helm:
    """Helm with folders of its own; with a ``kubeconfig`` it has a cluster too."""

    binary: Path
    directory: Path
    kubeconfig: Path | None = None

    async def run(self, *arguments: str | Path, values: Values | None = None) -> str:
        """What it prints. Raises ``HelmFailed``."""
        environment = {
            **os.environ,
            **{f"HELM_{name}_HOME": str(self.directory / name.lower()) for name in ("CACHE", "CONFIG", "DATA")},
            "KUBECONFIG": str(self.kubeconfig or os.devnull),
        }
        given = () if values is None else ("--values", "-")
        child = await asyncio.create_subprocess_exec(
            *(self.binary, *arguments, *given),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        out, error = await child.communicate(json.dumps(dict(values or {})).encode())
        if child.returncode:
            raise HelmFailed(f"{out.decode()}{error.decode()}".strip())
        return out.decode()

    async def render(self, values: Values, *, release: str = "fairlead", namespace: str = SYSTEM) -> list[Object]:
        """What ``helm template`` makes of the chart. Raises ``HelmFailed``."""
        return parse(await self.run("template", release, CHART, "--namespace", namespace, values=values))

    async def lint(self, values: Values) -> str:
        """``helm lint --strict``. Raises ``HelmFailed``."""
        return await self.run("lint", "--strict", CHART, values=values)


def parse(text: str) -> list[Object]:
    """The objects of a manifest."""
    return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


def make_helm(directory: Path, kubeconfig: Path | None = None) -> Helm:
    """Helm, built if need be."""
    return Helm(program("helm"), directory, kubeconfig)


def find(objects: list[Object], kind: str, name: str) -> Object:
    """The one of that kind and name. Raises ``AssertionError``."""
    found = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} objects {kind}/{name}"
    return found[0]


def pod_templates(objects: list[Object]) -> dict[str, Object]:
    """Metadata and spec of all pods that are to be, by ``KIND/NAME``; a volume that is claimed is an empty folder."""
    result = {}
    for each in objects:
        name = f"{each['kind']}/{each['metadata']['name']}"
        if each["kind"] == "Pod":
            result[name] = {"metadata": each["metadata"], "spec": each["spec"]}
        elif each["kind"] in {"Deployment", "StatefulSet", "DaemonSet", "Job"}:
            template = each["spec"]["template"]
            claims = each["spec"].get("volumeClaimTemplates", [])
            volumes = [{"name": claim["metadata"]["name"], "emptyDir": {}} for claim in claims]
            spec = template["spec"] | {"volumes": [*template["spec"]["volumes"], *volumes]}
            result[name] = {"metadata": template["metadata"], "spec": spec}
    return result
