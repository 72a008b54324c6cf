"""Settings: where they come from, what stands in for those not given, and what is refused."""

from __future__ import annotations

import pytest

from fairlead_operator.settings import SettingError, Settings, from_environment


def test_the_environment_sets_each_by_its_name_and_a_flag_wins() -> None:
    environment = {
        "FAIRLEAD_NAMESPACE": "ns",
        "FAIRLEAD_WATCH_NAMESPACES": " a, b ,,",
        "FAIRLEAD_RESYNC": "2.5",
        "FAIRLEAD_HTTP_PORT": "9000",
        "FAIRLEAD_LOG_LEVEL": "",
    }
    settings = from_environment(environment, http_port=9001, log_level=None)
    assert (settings.namespace, settings.watch_namespaces, settings.resync) == ("ns", ("a", "b"), 2.5)
    assert (settings.http_port, settings.log_level) == (9001, "info")


@pytest.mark.parametrize(
    ("variable", "text"),
    [("RESYNC", "soon"), ("RESYNC", "-1"), ("HTTP_PORT", "80.5"), ("HTTP_PORT", ""), ("LEASE_DURATION", "1")],
)
def test_what_cannot_be_used_is_refused_by_its_name(variable: str, text: str) -> None:
    name = f"FAIRLEAD_{variable}"
    if not text:
        assert from_environment({name: text}) is not None  # empty counts as not given
        return
    with pytest.raises(SettingError, match=name):
        from_environment({name: text})


@pytest.mark.parametrize("text", ["nan", "inf"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="FAIRLEAD_DEBOUNCE"):
        from_environment({"FAIRLEAD_DEBOUNCE": text})


def test_waiting_at_most_cannot_be_shorter_than_waiting() -> None:
    with pytest.raises(SettingError, match="FAIRLEAD_DEBOUNCE_MAX"):
        from_environment({"FAIRLEAD_DEBOUNCE": "1", "FAIRLEAD_DEBOUNCE_MAX": "0.5"})


@pytest.mark.parametrize(
    ("settings", "objects", "secrets"),
    [
        (Settings(), (None,), ("fairlead-system",)),
        (Settings(platform_namespaces=("p",)), (None,), ("fairlead-system", "p")),
        (Settings(watch_namespaces=("a", "b")), ("a", "b"), ("a", "b")),
        (Settings(watch_namespaces=("a",), secret_namespaces=("s",)), ("a",), ("s",)),
        (Settings(watch_namespaces=("a",), secret_namespaces=("*",)), ("a",), (None,)),
    ],
)
def test_secrets_are_looked_for_no_further_than_asked(
    settings: Settings, objects: tuple[str | None, ...], secrets: tuple[str | None, ...]
) -> None:
    assert (settings.object_scopes, settings.secret_scopes) == (objects, secrets)


def test_two_replicas_are_told_apart() -> None:
    assert Settings().identity
    assert from_environment({"FAIRLEAD_IDENTITY": "pod-1"}).identity == "pod-1"
