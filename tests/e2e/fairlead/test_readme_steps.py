"""The README's section on Kubernetes, followed to the letter on a cluster that already has an image, to the last line."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.programs import program
from devcluster.showcase import EXAMPLES
from tests.e2e.fairlead.conftest import Installed

pytestmark = pytest.mark.timeout(900)
_ROOT = Path(__file__).parents[3]
_SECTION = re.compile(r"^## On Kubernetes\n(.*?)^## ", re.MULTILINE | re.DOTALL)
_BETWEEN = "------ next block ------"


def blocks() -> list[str]:
    """The commands of the section, but those that make and remove the cluster."""
    found = _SECTION.search((_ROOT / "README.md").read_text())
    assert found is not None
    made, *others = re.findall(r"```sh\n(.*?)```", found[1], re.DOTALL)
    assert "make cluster" in made
    return others


def follow(installed: Installed, repository: str, tag: str) -> list[str]:
    """What each block prints, in one shell that ends at the first command that fails."""
    script = f"\necho '{_BETWEEN}'\n".join(blocks()).replace("=REPOSITORY", f"={repository}").replace("=TAG", f"={tag}")
    path = ":".join(str(program(name).parent) for name in ("kubectl", "helm"))
    done = subprocess.run(
        ["bash", "-m", "-eo", "pipefail", "-c", script],
        cwd=_ROOT,
        env={**os.environ, **installed.cluster.environment, "PATH": f"{path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout.split(_BETWEEN)


@pytest.fixture
def uninstalled(installed: Installed) -> Iterator[Installed]:
    """Without the release that all other tests share; with it again afterwards."""
    release = installed.release
    try:
        release.kubectl("delete", "--ignore-not-found", f"--filename={EXAMPLES}")
        release.helm("uninstall", release.name, "--wait", "--ignore-not-found")
        release.kubectl("delete", "namespace", release.namespace, "--ignore-not-found")
        yield installed
    finally:
        release.forget_interrupted()
        release.install(installed.values)
        release.apply(EXAMPLES)
        release.wait_until_ready(EXAMPLES)


def test_every_step_does_what_it_says_and_nothing_is_left(uninstalled: Installed) -> None:
    repository, _, tag = uninstalled.image.rpartition(":")
    release = uninstalled.release
    before = set(release.kubectl("get", "namespaces", "--output=name").split())

    _, declared, asked, shifted, broken, _ = follow(uninstalled, repository, tag)

    assert re.search(r"routingpolicy.*/chat\s+Weighted.*True", declared)
    assert re.search(r"modelprovider.*/harbour.*True", declared)
    assert "HTTP/1.1 200" in asked
    assert re.search(r"x-fairlead-model: default/harbour/harbour-(mini|large)", asked)
    assert re.findall(r"(\d+) x-fairlead-model: (\S+)", shifted) == [("10", "default/harbour/harbour-large")]
    assert re.findall(r"(\d+) x-fairlead-model: (\S+)", broken) == [("10", "default/anchor/anchor-base")]
    assert "modelprovider.fairlead.dev/harbour condition met" in broken

    assert set(release.kubectl("get", "namespaces", "--output=name").split()) == before
    kept = release.kubectl("get", "customresourcedefinitions,clusterroles,clusterrolebindings", "--output=name")
    assert "fairlead" not in kept
