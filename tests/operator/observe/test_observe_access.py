"""Where the API server is found, what is said when it is not, and how long one waits between tries."""

from __future__ import annotations

import base64
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_kube.access import KubeAccess, in_cluster
from fairlead_kube.backoff import Backoff, EndlessBackoffs
from fairlead_kube.errors import NoAccess
from fairlead_kube.kubeconfig import read_kubeconfig

# ------------------------------------------------------------------------------------------------ in a pod


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """What a pod is given."""
    for name, text in {"token": "t1\n", "ca.crt": "a certificate", "namespace": "fairlead-system\n"}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_pod_finds_all_it_needs_and_reads_its_token_anew_each_time(account: Path) -> None:
    access = in_cluster({"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "6443"}, account)
    assert (access.server, access.ca_file) == ("https://10.96.0.1:6443", account / "ca.crt")
    assert access.namespace == "fairlead-system"
    assert access.headers() == {"Authorization": "Bearer t1"}
    (account / "token").write_text("t2")
    assert access.headers() == {"Authorization": "Bearer t2"}


def test_an_address_of_ipv6_gets_brackets_and_the_usual_port(account: Path) -> None:
    assert in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1"}, account).server == "https://[fd00::1]:443"


def test_outside_a_pod_three_variables_stand_in(account: Path, tmp_path: Path) -> None:
    environment = {
        "FAIRLEAD_KUBE_SERVER": "https://127.0.0.1:6443/",
        "FAIRLEAD_KUBE_CA_FILE": str(account / "ca.crt"),
        "FAIRLEAD_KUBE_TOKEN_FILE": str(account / "token"),
    }
    access = in_cluster(environment, tmp_path / "nothing")
    assert (access.server, access.namespace) == ("https://127.0.0.1:6443", None)


@pytest.mark.parametrize(
    ("environment", "missing", "said"),
    [
        ({}, "", "FAIRLEAD_KUBE_SERVER"),
        ({"KUBERNETES_SERVICE_HOST": "h"}, "token", "mount a ServiceAccount token"),
        ({"KUBERNETES_SERVICE_HOST": "h"}, "ca.crt", "no certificate"),
    ],
)
def test_what_is_missing_is_named(account: Path, environment: dict[str, str], missing: str, said: str) -> None:
    if missing:
        (account / missing).unlink()
    with pytest.raises(NoAccess, match=said):
        in_cluster(environment, account)


def test_a_token_that_is_gone_and_a_certificate_that_is_none_are_no_access(account: Path) -> None:
    access = in_cluster({"KUBERNETES_SERVICE_HOST": "h"}, account)
    (account / "token").unlink()
    with pytest.raises(NoAccess, match="cannot be read"):
        access.headers()
    with pytest.raises(NoAccess, match="cannot be used"):
        access.ssl_context()


def test_no_token_is_shown_when_access_is_printed() -> None:
    assert "sesame" not in repr(KubeAccess("https://h", token="sesame"))


# ------------------------------------------------------------------------------------------------ kubeconfig


def kubeconfig(path: Path, *, user: dict[str, Any] | None = None, **changes: Any) -> Path:
    content = {
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "ns"}},
            {"name": "two", "context": {"cluster": "c", "user": "u", "namespace": "other"}},
            {"name": "lost", "context": {"cluster": "nowhere", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "https://h:1/", "certificate-authority": "ca.crt"}}],
        "users": [{"name": "u", "user": {"token": "t"} if user is None else user}],
    }
    path.write_text(json.dumps(content | changes))
    return path


def test_the_current_context_or_the_one_that_is_named(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path / "config")
    access = read_kubeconfig(file)
    assert (access.server, access.namespace, access.token) == ("https://h:1", "ns", "t")
    assert access.ca_file == tmp_path / "ca.crt"
    assert read_kubeconfig(file, "two").namespace == "other"


def test_inlined_data_becomes_a_private_file(tmp_path: Path) -> None:
    key = base64.b64encode(b"a key").decode()
    access = read_kubeconfig(kubeconfig(tmp_path / "config", user={"client-key-data": key, "client-certificate": "c"}))
    assert access.client_key is not None
    try:
        assert access.client_key.read_bytes() == b"a key"
        assert access.client_key.stat().st_mode & 0o077 == 0
    finally:
        access.client_key.unlink()


@pytest.mark.parametrize(
    ("context", "changes", "said"),
    [
        ("three", {}, "names 'three', but has no such entry in contexts"),
        ("lost", {}, "names 'nowhere', but has no such entry in clusters"),
        (None, {"current-context": ""}, "no current-context"),
        (None, {"user": {"exec": {"command": "aws"}}}, r"a plugin \(exec\)"),
        (None, {"user": {"client-key-data": "%%%"}}, "not base64"),
        (None, {"contexts": None}, "no such entry in contexts"),
        (None, {"clusters": [{"name": "c", "cluster": {}}]}, "cluster 'c' no server"),
        (None, {"clusters": [{"name": "c"}]}, "cluster 'c' no server"),
        (None, {"contexts": [{"name": "one"}]}, "names None, but has no such entry in clusters"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_is_explained(
    tmp_path: Path, context: str | None, changes: dict[str, Any], said: str
) -> None:
    file = kubeconfig(tmp_path / "config", **changes)
    with pytest.raises(NoAccess, match=said):
        read_kubeconfig(file, context)


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "\x00"])
def test_what_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(NoAccess, match="the kubeconfig"):
        read_kubeconfig(file)
    with pytest.raises(NoAccess, match="cannot be read"):
        read_kubeconfig(tmp_path / "nothing")


# ------------------------------------------------------------------------------------------------ pauses


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30))
def test_pauses_double_up_to_a_bound_and_never_fall_below_half_of_it(draws: list[float]) -> None:
    backoff = Backoff(iter(draws).__next__, base=0.2, cap=5.0)
    for number in range(len(draws)):
        bound = min(5.0, 0.2 * 2**number)
        assert bound / 2 <= backoff.next() <= bound


def test_a_success_begins_anew() -> None:
    backoff = Backoff(lambda: 0.5, base=0.2, cap=5.0)
    first = backoff.next()
    assert backoff.next() > first
    backoff.reset()
    assert backoff.next() == first


def test_tries_never_end_and_can_be_counted_from_the_first_again() -> None:
    pauses = EndlessBackoffs(lambda: 0.5, base=0.2, cap=1.0)
    assert len(list(itertools.islice(pauses, 1000))) == 1000
    assert next(iter(pauses)) == next(iter(pauses))
