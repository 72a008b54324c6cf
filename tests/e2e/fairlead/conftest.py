"""Fairlead on the cluster: the image that the Dockerfile makes, the chart, the examples; shared by all tests here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devcluster.images.build import find_image
from devcluster.images.redis import find_redis_image
from devcluster.node.cluster import Cluster
from devcluster.release import Release
from devcluster.showcase import DEMO, EXAMPLES, values_for
from tests.e2e.fairlead.table import FAULTS
from tests.e2e.fairlead.traffic import FALLBACK, Seen, Traffic


def pytest_configure(config: pytest.Config) -> None:
    """What is measured goes into the table."""
    FAULTS.join(config)


@dataclass(frozen=True, slots=True)
class Installed:
    """What the tests find."""

    cluster: Cluster
    release: Release
    values: dict[str, Any]
    image: str

    @property
    def address(self) -> str:
        """Of the routers' Service, which this machine reaches too."""
        name = f"{self.release.name}-router"
        service = self.release.json("service", name, f"--namespace={self.release.namespace}")
        return str(service["spec"]["clusterIP"])


@pytest.fixture(scope="session")
def installed(cluster: Cluster) -> Installed:
    """The chart as ``make cluster`` installs it, with two routers and Redis, and ``examples/kubernetes`` applied and Ready."""
    image, redis = find_image(), find_redis_image()
    for each in (image, redis):
        cluster.load_image(Path(each.archive))
    release = Release(cluster.kubeconfig, environment=cluster.environment)
    values = values_for(image.name, redis=redis.name)
    release.forget_interrupted()
    release.install(values)
    release.apply(EXAMPLES)
    release.wait_until_ready(EXAMPLES)
    return Installed(cluster, release, values, image.name)


@pytest.fixture
def traffic(installed: Installed) -> Iterator[Traffic]:
    """Runs until the test stops it."""
    running = Traffic(installed.release, DEMO, installed.image)
    yield running
    running.remove()


@pytest.fixture
def record(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[[Seen, float], None]:
    """Puts what a test measured beside the words of its mark."""

    def put(seen: Seen, recovery_seconds: float) -> None:
        share = 100 * seen.by_model.get(FALLBACK, 0) / max(1, seen.answered)
        figures = (
            *(str(seen.answered + seen.failed), str(seen.failed), str(seen.retried)),
            *(f"{share:.0f} %", f"{seen.slowest:.1f} s", f"{recovery_seconds:.1f} s"),
        )
        record_property(*FAULTS.property_of(request, *figures))

    return put
