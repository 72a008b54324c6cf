"""The end of a cluster. Run before all others, as it needs a machine without one; see ``conftest``."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster.node.cluster import Cluster
from tests.e2e.conftest import load_probe
from tests.e2e.person import Person
from tests.e2e.traces import traces

pytestmark = pytest.mark.timeout(300)


def test_down_leaves_no_trace_even_with_pods_running_and_parts_dead(tmp_path: Path) -> None:
    cluster = Cluster()
    if cluster.exists:
        pytest.skip("there is a cluster already, which is not this test's to take down")
    before = traces()
    try:
        cluster.up()
        person = Person(cluster, "default")
        person.serve(load_probe(cluster, tmp_path / "probe.tar", "localhost/probe:1"), "hello", type="NodePort")
        during = traces()
        assert [kind for kind in during if during[kind] == before[kind]] == [], (
            "these kinds of traces would not be seen"
        )
        cluster.kill_component("containerd")
        cluster.kill_component("kubelet")
    finally:
        cluster.down()
    after = traces()
    for kind, found in before.items():
        assert after[kind] == found, kind
    assert not cluster.place.folder.exists()
    cluster.down()  # twice is harmless
