"""What `make cluster` prints and leaves, where everything is there already: it must be harmless to say it again."""

from __future__ import annotations

import re
import subprocess
import sys
import time

import pytest

from devcluster.release import ROOT
from tests.e2e.fairlead.conftest import Installed

pytestmark = pytest.mark.timeout(480)
_LATER_SECONDS = 60.0


def make_cluster() -> tuple[str, str]:
    """What it prints, and its lines of progress."""
    command = [sys.executable, "-m", "devcluster.showcase", "up"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def running(installed: Installed) -> set[str]:
    """Each process of a container there is, under a name that no other gets."""
    pods = installed.release.json("pods", "--all-namespaces")["items"]
    return {
        status["containerID"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] == "Running"
        for status in pod["status"]["containerStatuses"]
    }


def test_once_more_it_replaces_nothing_and_shows_an_answer_and_why(installed: Installed) -> None:
    make_cluster()  # whatever tests have changed is as it was
    before, started = running(installed), time.monotonic()
    printed, progress = make_cluster()
    took = time.monotonic() - started
    assert running(installed) == before
    assert took < _LATER_SECONDS

    assert re.search(r"modelprovider\S*/harbour.*True", printed)
    assert re.search(r"routingpolicy\S*/chat\s+Weighted.*True", printed)
    assert re.search(r"^default/harbour/harbour-(mini|large) answers: \S+", printed, re.MULTILINE)
    decision = re.search(r"^fairlead why ([0-9a-f]{32})$", printed, re.MULTILINE)
    assert decision is not None
    explanation = printed.partition(decision[0])[2]
    assert decision[1] in explanation, "the decision is explained"
    assert f"export KUBECONFIG={installed.cluster.kubeconfig}" in printed
    assert printed.endswith("Stop it:  make cluster-down\n")
    assert "every provider and policy is Ready" in progress


def test_another_cluster_takes_its_image_too() -> None:
    command = [sys.executable, "-m", "devcluster.showcase", "up", "--kubeconfig", "/etc/hostname"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--image REPOSITORY:TAG" in done.stderr
