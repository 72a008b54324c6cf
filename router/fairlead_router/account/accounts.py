"""Which accounts a request is charged to."""

from __future__ import annotations

from fairlead_contract.decision import Facts
from fairlead_contract.fragments import WorkspaceFragment
from fairlead_router.state.store import Limit

_DAY = 86_400


def accounts(facts: Facts, workspace: WorkspaceFragment | None, now: float) -> tuple[Limit, ...]:
    """The accounts a request is charged to: the day (UTC) of its workspace, or of the namespace that owns it.

    Undeclared workspaces share an account, so that names invented by clients cannot fill the store.
    """
    owner = f"workspace/{workspace.workspace}" if workspace is not None else f"namespace/{facts.namespace or 'none'}"
    day = int(now // _DAY)
    return (Limit(f"{owner}/day/{day}", None, (day + 2) * _DAY),)
