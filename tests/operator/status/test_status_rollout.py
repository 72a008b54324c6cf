"""Programmed means: every ready router runs what was written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.status import Fleet, RouterReport
from fairlead_operator.status.rollout import Refusal
from tests.operator.status.status_objects import fleet, refusal, report

SINCE = (1, 5)
SILENT = report("10.0.0.9", (1, 9), reachable=False)

CASES: list[tuple[str, list[RouterReport], str]] = [
    ("no router is ready", [], "Unknown/NoRouters"),
    ("all run it", [report(), report("b", (1, 7))], "True/Programmed"),
    ("a newer epoch includes what the older had", [report(version=(2, 1))], "True/Programmed"),
    ("one is below", [report(), report("b", (1, 4))], "False/RollingOut"),
    ("one has nothing yet", [report(), report("b", None)], "False/RollingOut"),
    ("one of an older epoch is below, however high its revision", [report(version=(0, 99))], "False/RollingOut"),
    ("one refused it", [report(), report("b", (1, 4), rejected=refusal((1, 5)))], "False/SnapshotRefused"),
    ("one refused all it ever got", [report("b", None, rejected=refusal((1, 6)))], "False/SnapshotRefused"),
    ("one refused a snapshot without it", [report("b", (1, 3), rejected=refusal((1, 4)))], "False/RollingOut"),
    ("one refused a newer one but runs it", [report(version=(1, 5), rejected=refusal((1, 6)))], "True/Programmed"),
    ("one refused a stale one", [report(version=(1, 7), rejected=refusal((1, 6), "Stale"))], "True/Programmed"),
    (
        "one refused it and one is still below",
        [report("a", (1, 4)), report("b", (1, 4), rejected=refusal(SINCE))],
        "False/SnapshotRefused",
    ),
    ("one does not answer", [report(), report("b"), SILENT], "Unknown/RoutersUnreachable"),
    ("none answers", [SILENT], "Unknown/RoutersUnreachable"),
    ("one does not answer and one is below", [SILENT, report(version=(1, 4))], "False/RollingOut"),
    ("one that refused it earlier does not answer", [report(), replace(SILENT, version=None, rejected=refusal(SINCE))],
     "Unknown/RoutersUnreachable"),
]  # fmt: skip


@pytest.mark.parametrize(("reports", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_the_routers_say_gives_the_verdict(reports: list[RouterReport], expected: str) -> None:
    verdict = Fleet(reports).rollout(SINCE)
    assert f"{verdict.status}/{verdict.reason}" == expected
    assert verdict.message


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([report(pending=frozenset({"team-a/openai"})), report("b")], "CredentialsPending"),
        ([report(pending=frozenset({"team-a/other"}))], "Programmed"),
        ([report(version=(1, 4), pending=frozenset({"team-a/openai"}))], "RollingOut"),
        ([report(pending=frozenset({"team-a/openai"})), SILENT], "CredentialsPending"),
        ([report(), replace(SILENT, pending=frozenset({"team-a/openai"}))], "RoutersUnreachable"),
    ],
)
def test_a_provider_is_programmed_once_its_credentials_are_there(reports: list[RouterReport], expected: str) -> None:
    assert Fleet(reports).rollout(SINCE, "team-a/openai").reason == expected
    assert Fleet(reports).rollout(SINCE).reason != "CredentialsPending"


def test_messages_count_routers() -> None:
    assert fleet((1, 5), (1, 4), None).rollout(SINCE).message == "1 of 3 ready routers run this generation"
    silent = Fleet([report("a"), report("b"), SILENT]).rollout(SINCE)
    assert silent.message == "2 of 3 ready routers run this generation, the others did not answer"


def test_a_refusal_is_told_in_the_words_of_the_first_router_by_address() -> None:
    refusing = [report(address, None, rejected=refusal(SINCE)) for address in ("b:9090", "a:9090")]
    message = Fleet(refusing).rollout(SINCE).message
    assert "router a:9090 refused" in message
    assert "SchemaUnsupported: upgrade the routers" in message


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ([], False),
        ([report(), report("b", (1, 6))], True),
        ([report(), report("b", (1, 4))], False),
        ([report(), report("b", None)], False),
        ([report(), SILENT], False),
        ([report(), report("b", pending=frozenset({"team-a/openai"}))], False),
    ],
)
def test_a_rollout_is_settled_once_every_ready_router_said_it_runs_the_version(
    reports: list[RouterReport], expected: bool
) -> None:
    assert Fleet(reports).settled(SINCE) is expected


def test_fleets_are_equal_if_their_routers_say_the_same_in_whatever_order() -> None:
    one, two = report("a"), report("b", (1, 4))
    assert Fleet([one, two]) == Fleet([two, one])
    assert hash(Fleet([one, two])) == hash(Fleet([two, one]))
    assert Fleet([one]) != Fleet([replace(one, version=(1, 6))])
    assert Fleet([]) != ()


VERSIONS = st.tuples(st.integers(1, 2), st.integers(1, 4))
REPORTS = st.lists(
    st.builds(
        RouterReport,
        st.sampled_from(["a", "b", "c", "d"]),
        st.none() | VERSIONS,
        st.frozensets(st.sampled_from(["team-a/one", "team-a/two"])),
        st.none() | st.builds(Refusal, VERSIONS, st.sampled_from(["Malformed", "Stale"]), st.just("no")),
        st.booleans(),
    ),
    max_size=4,
    unique_by=lambda item: item.address,
)


@given(REPORTS, VERSIONS, st.sampled_from([None, "team-a/one"]))
def test_programmed_is_true_exactly_if_every_ready_router_answers_and_runs_it(
    reports: list[RouterReport], since: tuple[int, int], provider: str | None
) -> None:
    everyone = all(
        item.reachable and item.version is not None and item.version >= since and provider not in item.pending
        for item in reports
    )
    assert (Fleet(reports).rollout(since, provider).status == "True") is (bool(reports) and everyone)


@given(REPORTS, VERSIONS, st.data())
def test_the_order_of_reports_does_not_matter(
    reports: list[RouterReport], since: tuple[int, int], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(reports))
    assert Fleet(reports).rollout(since) == Fleet(shuffled).rollout(since)


@given(REPORTS, VERSIONS, st.integers(1, 9))
def test_what_is_programmed_stays_so_while_routers_move_on(
    reports: list[RouterReport], since: tuple[int, int], steps: int
) -> None:
    """A newer snapshot that changed other objects gives the same verdict in the same words."""
    before = Fleet(reports).rollout(since)
    moved = [
        item
        if item.version is None or item.version < since
        else replace(item, version=(item.version[0], item.version[1] + steps))
        for item in reports
    ]
    assert Fleet(moved).rollout(since) == before
