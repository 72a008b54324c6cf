"""Settings from the environment, and what is said of those that cannot be used."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from fairlead_router.settings import SettingError, Settings, from_environment, networks


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, {}),
        ({"FAIRLEAD_PORT": "8080"}, {"port": 8080}),
        ({"PORT": "8081"}, {"port": 8081}),
        ({"PORT": "8081", "FAIRLEAD_PORT": "8080"}, {"port": 8080}),
        ({"FAIRLEAD_PORT": ""}, {}),
        ({"FAIRLEAD_HOST": "::1"}, {"host": "::1"}),
        ({"LOG_LEVEL": "debug"}, {"log_level": "debug"}),
        ({"LOG_LEVEL": "debug", "FAIRLEAD_LOG_LEVEL": "warning"}, {"log_level": "warning"}),
        ({"FAIRLEAD_ACCESS_LOG": "false"}, {"access_log": False}),
        ({"FAIRLEAD_ACCESS_LOG": "0"}, {"access_log": False}),
        ({"FAIRLEAD_ACCESS_LOG": "TRUE"}, {"access_log": True}),
        ({"FAIRLEAD_SHUTDOWN_SECONDS": "2.5"}, {"shutdown_seconds": 2.5}),
        ({"FAIRLEAD_SHUTDOWN_SECONDS": "0"}, {"shutdown_seconds": 0}),
        ({"FAIRLEAD_API_KEYS_FILE": "/keys.json"}, {"api_keys_file": Path("/keys.json")}),
        ({"FAIRLEAD_DECISION_LOG": "log"}, {"decision_log": Path("log")}),
        ({"FAIRLEAD_SNAPSHOT_CONFIG_MAP": "mine"}, {"snapshot_config_map": "mine"}),
        ({"FAIRLEAD_CREDENTIALS_SECRET": "mine"}, {"credentials_secret": "mine"}),
        ({"FAIRLEAD_SNAPSHOT_NAMESPACE": "mine"}, {"snapshot_namespace": "mine"}),
        ({"FAIRLEAD_LAST_GOOD_DIR": "/run/kept"}, {"last_good_dir": Path("/run/kept")}),
        ({"FAIRLEAD_DRAW_KEY": "secret"}, {"draw_key": "secret"}),
        (
            {"FAIRLEAD_ALLOW_NETWORKS": "10.0.0.0/8, ::1/128"},
            {"allow_networks": (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128"))},
        ),
        ({"FAIRLEAD_CLASSIFIER": "always"}, {"classifier": "always"}),
        ({"FAIRLEAD_CLASSIFIER_BUNDLE": "/b"}, {"classifier_bundle": Path("/b")}),
        ({"FAIRLEAD_CLASSIFIER_BUNDLES_DIR": "/b"}, {"classifier_bundles_dir": Path("/b")}),
        ({"FAIRLEAD_CLASSIFIER_RULES": "r.json"}, {"classifier_rules": Path("r.json")}),
        ({"FAIRLEAD_CLASSIFIER_URL": "http://c:3010"}, {"classifier_url": "http://c:3010"}),
        ({"CLASSIFIER_URL": "http://c:3010"}, {"classifier_url": "http://c:3010"}),
        ({"FAIRLEAD_CLASSIFIER_DEADLINE_SECONDS": "0.1"}, {"classifier_deadline_seconds": 0.1}),
        ({"FAIRLEAD_CLASSIFIER_ERROR_PERCENT": "5"}, {"classifier_error_percent": 5.0}),
        ({"CACHE_TTL": "60"}, {"classifier_cache_ttl_seconds": 60.0}),
        ({"HOST": "h", "FAIRLEAD_UNHEARD": "x"}, {}),
    ],
)
def test_each_setting_is_read_from_its_variable(environment: dict[str, str], expected: dict[str, Any]) -> None:
    assert from_environment(environment) == Settings(**expected)


def test_a_flag_wins_over_the_environment_and_one_that_is_not_given_does_not() -> None:
    settings = from_environment({"FAIRLEAD_PORT": "8080", "FAIRLEAD_HOST": "h"}, port=9000, host=None)
    assert (settings.port, settings.host) == (9000, "h")


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("FAIRLEAD_PORT", "http", "takes a whole number of at least 0"),
        ("FAIRLEAD_CLASSIFIER", "on", "takes auto, always or off"),
        ("FAIRLEAD_CLASSIFIER_BATCH", "0", "takes a whole number of at least 1"),
        ("FAIRLEAD_CLASSIFIER_THREADS", "-1", "takes a whole number of at least 0"),
        ("FAIRLEAD_CLASSIFIER_URL", "classifier:3010", "takes an address such as"),
        ("FAIRLEAD_CLASSIFIER_URL", "http://classifier:99999", "Port out of range"),
        ("FAIRLEAD_CLASSIFIER_DEADLINE_SECONDS", "inf", "takes a number of at least 0"),
        ("FAIRLEAD_CLASSIFIER_QUEUE", "0", "at least 1"),
        ("CLASSIFIER_URL", "http://me:secret@c", "without credentials"),
        ("FAIRLEAD_CLASSIFIER_ERROR_PERCENT", "101", "at most 100"),
        ("CACHE_TTL", "an hour", "takes a number of at least 0"),
        ("PORT", "-1", "at least 0"),
        ("FAIRLEAD_ADMIN_PORT", "65536", "takes the number of a port, at most 65535"),
        ("FAIRLEAD_PORT", "tcp://10.96.3.4:80", "takes a whole number of at least 0"),
        ("FAIRLEAD_MAX_BODY_BYTES", "10MB", "takes a whole number of at least 0"),
        ("FAIRLEAD_MAX_CONCURRENT_REQUESTS", "-1", "at least 0"),
        ("FAIRLEAD_SHUTDOWN_SECONDS", "soon", "takes a number of at least 0"),
        ("FAIRLEAD_SHUTDOWN_SECONDS", "nan", "at least 0"),
        ("FAIRLEAD_SHUTDOWN_SECONDS", "-0.5", "at least 0"),
        ("FAIRLEAD_ACCESS_LOG", "maybe", "takes true or false"),
        ("FAIRLEAD_ALLOW_NETWORKS", "10.0.0.1/8", "host bits"),
        ("FAIRLEAD_ALLOW_NETWORKS", "localhost", "does not appear"),
        ("FAIRLEAD_REDIS_PREFIX", "{mine}", "other than braces and spaces"),
        ("FAIRLEAD_REDIS_OPERATION_SECONDS", "soon", "takes a number of at least 0"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_with_its_text_and_what_it_takes(
    variable: str, text: str, words: str
) -> None:
    with pytest.raises(SettingError) as raised:
        from_environment({variable: text})
    assert str(raised.value).startswith(f"{variable}={text!r}: ")
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("port", 99999, "--port='99999': takes the number of a port, at most 65535"),
        ("admin_port", -1, "--admin-port='-1': takes a whole number of at least 0"),
    ],
)
def test_a_flag_out_of_range_is_named(name: str, value: int, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        from_environment({}, **{name: value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" , ", []),
        ("loopback", ["127.0.0.0/8", "::1/128"]),
        ("10.0.0.0/8,loopback", ["10.0.0.0/8", "127.0.0.0/8", "::1/128"]),
        ("192.0.2.7", ["192.0.2.7/32"]),
    ],
)
def test_networks_are_listed_with_commas_and_loopback_is_both_of_them(text: str, expected: list[str]) -> None:
    assert [str(network) for network in networks(text)] == expected


def test_the_key_of_all_draws_is_in_no_representation() -> None:
    assert "hush-hush" not in repr(Settings(draw_key="hush-hush"))


def test_redis_is_named_by_either_variable_and_ours_wins() -> None:
    assert from_environment({"REDIS_URL": "redis://a"}).redis_url == "redis://a"
    assert from_environment({"REDIS_URL": "redis://a", "FAIRLEAD_REDIS_URL": "redis://b"}).redis_url == "redis://b"
    assert from_environment({}).redis_url is None


def test_a_url_of_redis_is_in_no_representation_as_a_password_may_be_in_it() -> None:
    assert "hush-hush" not in repr(Settings(redis_url="redis://:hush-hush@redis"))
