"""Who may hold the Lease, by what it says and by a clock of one's own."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.lead.election import Observation, Record, may_take, next_spec, observe

WALL = datetime.datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=datetime.UTC)
THEIRS = Record("them", 3, "2026-01-01T11:59:59.000000Z", 15.0)


@pytest.mark.parametrize(
    ("why", "observed", "now", "may"),
    [
        ("there is no Lease", None, 0.0, True),
        ("it is ours", Observation(Record("me", 1, "t", 15.0), 0.0), 1.0, True),
        ("it is ours and has expired", Observation(Record("me", 1, "t", 15.0), 0.0), 99.0, True),
        ("it was released", Observation(Record("", 1, "t", 15.0), 0.0), 0.0, True),
        ("another holds it", Observation(THEIRS, 100.0), 115.0, False),
        ("another let it expire", Observation(THEIRS, 100.0), 115.1, True),
    ],
)
def test_the_lease_may_be_taken_when(why: str, observed: Observation | None, now: float, may: bool) -> None:
    assert may_take(observed, "me", now) is may, why


def test_a_renewal_begins_the_wait_anew_and_silence_does_not() -> None:
    first = observe(None, THEIRS, 10.0)
    assert observe(first, THEIRS, 20.0).since == 10.0
    renewed = Record("them", 3, "2026-01-01T12:00:09.000000Z", 15.0)
    assert observe(first, renewed, 20.0).since == 20.0


@given(st.datetimes(), st.floats(0, 1e6), st.floats(0, 100))
def test_no_clock_of_another_machine_and_no_jump_of_ours_matters(
    written: datetime.datetime, first_seen: float, waited: float
) -> None:
    """However wrong the time in the Lease, it expires when it has not changed for its duration as measured here."""
    record = Record("them", 3, written.isoformat() + "Z", 15.0)
    observed = observe(observe(None, record, first_seen), record, first_seen + waited)
    assert may_take(observed, "me", first_seen + waited) is (first_seen + waited - first_seen > 15.0)


def test_a_first_lease_begins_at_no_transition() -> None:
    assert next_spec(None, "me", 15.0, WALL) == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "leaseTransitions": 0,
        "renewTime": "2026-01-01T12:00:00.000005Z",
        "acquireTime": "2026-01-01T12:00:00.000005Z",
    }


def test_a_renewal_keeps_term_and_time_of_acquisition() -> None:
    spec = next_spec(Record("me", 7, "t", 15.0), "me", 15.0, WALL)
    assert spec["leaseTransitions"] == 7
    assert "acquireTime" not in spec


@pytest.mark.parametrize("holder", ["them", ""])
def test_each_change_of_holder_is_a_new_term_also_after_a_release(holder: str) -> None:
    spec = next_spec(Record(holder, 7, "t", 15.0), "me", 15.0, WALL)
    assert (spec["leaseTransitions"], spec["holderIdentity"]) == (8, "me")


def test_people_read_utc_whatever_the_zone_of_the_clock() -> None:
    local = WALL.astimezone(datetime.timezone(datetime.timedelta(hours=2)))
    assert next_spec(None, "me", 15.0, local)["renewTime"] == "2026-01-01T12:00:00.000005Z"


def test_a_lease_is_read_as_the_api_gives_it_also_when_it_is_empty() -> None:
    lease = {"spec": next_spec(THEIRS, "me", 15.0, WALL)}
    assert Record.of(lease) == Record("me", 4, "2026-01-01T12:00:00.000005Z", 15.0)
    assert Record.of({}) == Record("", 0, "", 0.0)
    assert may_take(observe(None, Record.of({}), 0.0), "me", 0.0)
