"""The real cluster that all tests here share: taken as it is if it runs, else started, and then taken away at the end.

Not part of a plain run of pytest, as it takes root, and minutes: `make e2e`, or name this folder to pytest.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcluster.node.archive import write_archive
from devcluster.node.cluster import Cluster
from devcluster.programs import program
from tests.e2e.firewall import remove_firewall

KEEP = "FAIRLEAD_E2E_KEEP"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``test_down`` needs a machine without a cluster, so it comes before the first test that wants one."""
    items.sort(key=lambda item: item.path.name != "test_down.py")


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_of_a_run_that_was_killed() -> None:
    remove_firewall(Cluster().place)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Up when a test gets it: ``kubeconfig``, ``kubectl``, ``load_image``, ``stop_component`` and the like.

    A test that stops a part starts it again. With ``FAIRLEAD_E2E_KEEP`` set, what was started here stays for a look at it.
    """
    cluster = Cluster()
    found = cluster.exists
    try:
        cluster.up()
        yield cluster
    finally:
        if not found and not os.environ.get(KEEP):
            cluster.down()


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """One of its own for a test, with the ``restricted`` Pod Security Standard enforced, gone afterwards."""
    name = "e2e-" + request.node.name.partition("[")[0].removeprefix("test_").replace("_", "-")[:40].strip("-")
    name += f"-{secrets.token_hex(2)}"  # the last run's may still be on its way out
    cluster.kubectl("create", "namespace", name)
    try:
        cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        yield name
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def probe(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of an image with the program of ``tools/probe``, which serves a text or gets a URL."""
    return load_probe(cluster, tmp_path_factory.mktemp("probe") / "probe.tar", "localhost/probe:1")


def load_probe(cluster: Cluster, archive: Path, name: str, *arguments: str) -> str:
    """Make and load such an image; with ``arguments`` it is another one, whatever its name."""
    cluster.load_image(write_archive(archive, name, {"/probe": program("probe")}, ["/probe", *arguments]))
    return name
