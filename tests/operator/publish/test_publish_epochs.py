"""A new epoch begins when somebody knows of something newer than what the cluster holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.publish.epochs import Version, next_epoch

VERSIONS = st.tuples(st.integers(1, 9), st.integers(1, 9))


@pytest.mark.parametrize(
    ("why", "published", "seen", "epoch"),
    [
        ("a first start", None, [], None),
        ("a restart, with routers that run what is published", (1, 5), [(1, 5), (1, 5)], None),
        ("a router that lags behind", (1, 5), [(1, 3)], None),
        ("etcd restored to what was before", (1, 3), [(1, 5), (1, 4)], 2),
        ("the ConfigMap deleted", None, [(1, 5)], 2),
        ("an epoch lost", (2, 9), [(3, 1)], 4),
    ],
)
def test_an_epoch_begins_only_when_history_was_lost(
    why: str, published: Version | None, seen: list[Version], epoch: int | None
) -> None:
    assert next_epoch(published, seen) == epoch, why


@given(st.none() | VERSIONS, st.lists(VERSIONS))
def test_what_is_published_next_is_newer_than_all_that_anybody_runs(
    published: Version | None, seen: list[Version]
) -> None:
    epoch = next_epoch(published, seen)
    before = published or (1, 0)
    following = (before[0], before[1] + 1) if epoch is None else (epoch, 1)
    assert all(following > version for version in seen)
    assert published is None or following > published
