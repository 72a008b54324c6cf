"""Random numbers that stick, that nobody can steer, and that can be replayed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_router.dialect.openai_chat import parse_chat_request
from fairlead_router.select.draws import KeyedDraws, RecordedDraws
from tests.router.builders import a_pipeline, a_receiver, a_table, some_facts, tenancy

DRAWS = KeyedDraws(b"a key of the routers")
UNITS = 4000


def series(purpose: str, uid: str, draws: KeyedDraws = DRAWS) -> list[float]:
    return [draws.draw(purpose, uid, "User", f"user-{number}").value for number in range(UNITS)]


@given(st.text(), st.text(), st.text(), st.text(), st.binary(min_size=1, max_size=64))
def test_a_draw_lies_in_the_unit_interval_and_is_the_same_every_time(
    purpose: str, uid: str, unit: str, value: str, secret: bytes
) -> None:
    one, other = (KeyedDraws(secret).draw(purpose, uid, unit, value) for _ in range(2))
    assert 0 <= one.value < 1
    assert one == other
    assert (one.purpose, one.uid, one.unit) == (purpose, uid, unit)


def test_draws_over_many_users_are_spread_evenly() -> None:
    values = series("strategy", "uid")
    for tenth in range(10):
        share = sum(tenth / 10 <= value < (tenth + 1) / 10 for value in values) / UNITS
        assert share == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("purpose", "uid", "draws"),
    [
        ("canary:1", "uid", DRAWS),
        ("strategy", "another", DRAWS),
        ("strategy", "uid", KeyedDraws(b"another key")),
    ],
)
def test_another_purpose_another_object_and_another_key_draw_independently(
    purpose: str, uid: str, draws: KeyedDraws
) -> None:
    pairs = list(zip(series("strategy", "uid"), series(purpose, uid, draws), strict=True))
    both_low = sum(one < 0.2 and other < 0.2 for one, other in pairs) / UNITS
    assert both_low == pytest.approx(0.04, abs=0.015)


@given(st.text(min_size=1))
def test_the_id_that_a_client_gives_its_request_is_no_part_of_the_facts_that_decide(client_id: str) -> None:
    pipeline = a_pipeline(a_receiver())
    table = a_table(tenancy())
    identity = pipeline.identifier.identify({"x-fairlead-user": "ann"})
    request = parse_chat_request(b'{"model":"auto","messages":[{"content":"hi"}]}')
    with_id = pipeline.facts(table, replace(identity, client_request_id=client_id), {}, request)
    assert with_id == pipeline.facts(table, identity, {}, request)
    assert with_id.user_hash != "ann"


def test_recorded_draws_give_back_what_was_drawn_whatever_the_unit_is_now() -> None:
    drawn = DRAWS.draw("strategy", "uid", "User", "ann")
    assert RecordedDraws((drawn,)).draw("strategy", "uid", "Request", "d-2") == drawn


def test_a_replay_that_needs_a_draw_nobody_made_fails_instead_of_drawing() -> None:
    with pytest.raises(KeyError):
        RecordedDraws(()).draw("strategy", "uid", "User", "ann")


def test_facts_of_a_decision_hold_no_field_for_a_clients_id() -> None:
    assert "client_request_id" not in some_facts().__struct_fields__
