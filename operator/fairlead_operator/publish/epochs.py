"""When a new epoch begins: whenever somebody runs, or ran, what is newer than what the cluster has."""

from __future__ import annotations

from collections.abc import Iterable

from fairlead_contract.snapshot import Version


def next_epoch(published: Version | None, seen: Iterable[Version]) -> int | None:
    """The epoch to begin, or ``None`` to go on with the published history.

    ``published`` is what the cluster holds (``None``: nothing that can be read), ``seen`` what routers and this process
    know of. If any of them is newer, the history it belonged to is lost (etcd restored, ConfigMap deleted), and only a
    higher epoch makes the routers follow again.
    """
    newest = max(seen, default=None)
    if newest is None or (published is not None and newest <= published):
        return None
    return newest[0] + 1
