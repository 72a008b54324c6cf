"""The split of the policy that the tests share: changed, and obeyed."""

from __future__ import annotations

import json
import time
from typing import Any

from devcluster.showcase import DEMO
from tests.e2e.fairlead.conftest import Installed
from tests.e2e.fairlead.traffic import ask
from tests.e2e.person import wait_for


def targets_of(installed: Installed) -> list[dict[str, Any]]:
    """Those of the policy in force."""
    policy = installed.release.json("routingpolicy", "chat", f"--namespace={DEMO}")
    found: list[dict[str, Any]] = policy["spec"]["targets"]
    return found


def set_targets(installed: Installed, targets: list[dict[str, Any]]) -> float:
    """Returns when that was, for ``obeyed``. Raises ``ReleaseFailed``."""
    patch = json.dumps({"spec": {"targets": targets}})
    where = f"--namespace={DEMO}"
    installed.release.kubectl("patch", "routingpolicy", "chat", where, "--type=merge", f"--patch={patch}")
    return time.monotonic()


def set_weights(installed: Installed, mini: int, large: int) -> float:
    """Change the split; returns as ``set_targets``."""
    weights = {"mini": mini, "large": large}
    return set_targets(installed, [{**target, "weight": weights[target["name"]]} for target in targets_of(installed)])


def obeyed(installed: Installed, model: str, since: float) -> float:
    """Seconds from ``since`` until the routers answer with ``model``, and none other, ten times on end."""
    address = installed.address

    def all_the_same() -> bool:
        try:
            return all(ask(address).endswith(f"/{model}") for _ in range(10))
        except OSError:
            return False

    wait_for(all_the_same, f"{model} answers alone", 90)
    return time.monotonic() - since
