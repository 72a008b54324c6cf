"""What a supervisor does about its workers, case by case, and that it comes to rest whatever happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_cli.workers.plan import (
    MAX_FAILED_STARTS,
    QUICK_SECONDS,
    SILENT_SECONDS,
    START_SECONDS,
    Admit,
    Deaths,
    EndRoll,
    Fleet,
    GiveUp,
    Kill,
    Phase,
    Retire,
    SetWatching,
    Start,
    Tell,
    Worker,
    next_look,
    plan,
)

NOW = 1000.0


def worker(number: int, slot: int, phase: Phase = Phase.SERVING, **changes: Any) -> Worker:
    """A worker that does what it should."""
    told = ((slot,), True) if phase is Phase.SERVING else None
    started = NOW - (1 if phase is Phase.STARTING else 100)
    made = Worker(number, slot, 0, phase, started, NOW, up=phase is not Phase.STARTING, configured=True, told=told)
    return replace(made, **changes)


def fleet(*workers: Worker, **changes: Any) -> Fleet:
    """Two slots, all well."""
    made = Fleet(2, 0, workers, configuration_known=True, opened=True, ever_served=True)
    return replace(made, **changes)


ALL_WELL = (worker(1, 0), worker(2, 1))


def test_nothing_is_done_while_all_is_well() -> None:
    assert plan(fleet(*ALL_WELL), NOW) == []


def test_at_the_start_every_slot_gets_a_worker() -> None:
    assert plan(fleet(ever_served=False, opened=False, configuration_known=False), NOW) == [Start(0), Start(1)]


def test_a_worker_that_is_up_serves_at_once_while_there_is_no_configuration_at_all() -> None:
    beginning = fleet(
        worker(1, 0, Phase.STARTING, up=True, configured=False),
        worker(2, 1, Phase.STARTING, up=False, configured=False),
        configuration_known=False,
        opened=False,
    )
    assert plan(beginning, NOW) == [Admit(1)]


def test_a_worker_that_comes_later_serves_only_once_it_runs_what_the_others_run() -> None:
    starting = worker(3, 1, Phase.STARTING, up=True, configured=False)
    assert Admit(3) not in plan(fleet(worker(1, 0), starting), NOW)
    assert Admit(3) in plan(fleet(worker(1, 0), replace(starting, configured=True)), NOW)


def test_readiness_waits_for_all_at_the_start_and_for_nobody_later() -> None:
    one = worker(1, 0, told=None)
    other = worker(2, 1, told=None, configured=False)
    assert plan(fleet(one, other, opened=False), NOW) == [Tell(1, (0,), False), Tell(2, (1,), False)]
    both = fleet(one, replace(other, configured=True), opened=False)
    assert plan(both, NOW) == [Tell(1, (0,), True), Tell(2, (1,), True)]
    assert Tell(1, (0, 1), True) in plan(fleet(one), NOW)


def test_the_socket_of_a_worker_that_died_is_served_by_another_until_its_successor_serves() -> None:
    bereft = fleet(worker(1, 0))
    assert plan(bereft, NOW) == [Start(1), Tell(1, (0, 1), True)]
    adopted = worker(1, 0, told=((0, 1), True))
    assert plan(fleet(adopted, worker(3, 1, Phase.STARTING)), NOW) == []
    back = fleet(adopted, worker(3, 1, told=None))
    assert plan(back, NOW) == [Tell(1, (0,), True), Tell(3, (1,), True)]


@pytest.mark.parametrize(("failed", "pause"), [(0, 0), (1, 0.5), (2, 1), (3, 2), (7, 30), (5000, 30)])
def test_a_start_that_fails_again_and_again_is_tried_ever_more_rarely(failed: int, pause: float) -> None:
    died = fleet(worker(1, 0, told=((0, 1), True)), deaths={1: Deaths(failed, NOW)})
    assert plan(died, NOW + pause) == [Start(1)]
    if pause:
        assert plan(died, NOW + pause - 0.01) == []
        assert next_look(died, NOW + pause - 0.25) == pytest.approx(0.25)


def test_a_worker_that_had_served_for_a_while_is_replaced_at_once() -> None:
    assert Deaths(4, 0.0).after(worker(1, 0), NOW) == Deaths(0, NOW)
    assert Deaths(1, 0.0).after(worker(1, 0, started_at=NOW - QUICK_SECONDS / 2), NOW) == Deaths(2, NOW)
    assert Deaths(1, 0.0).after(worker(1, 0, Phase.STARTING), NOW) == Deaths(2, NOW)


def test_it_gives_up_when_nothing_serves_and_starts_keep_failing() -> None:
    failed = {0: Deaths(MAX_FAILED_STARTS, NOW)}
    assert [type(action) for action in plan(fleet(deaths=failed), NOW)] == [GiveUp]
    assert not any(isinstance(each, GiveUp) for each in plan(fleet(worker(1, 1), deaths=failed), NOW))
    assert not any(isinstance(each, GiveUp) for each in plan(fleet(deaths={0: Deaths(1, NOW)}), NOW))


def test_it_gives_up_at_the_first_failure_when_nothing_ever_served() -> None:
    begun = fleet(worker(2, 1, Phase.STARTING), ever_served=False, deaths={0: Deaths(1, NOW)})
    assert [type(action) for action in plan(begun, NOW)] == [GiveUp]


def test_a_worker_that_hangs_is_killed() -> None:
    silent = worker(2, 1, heard_at=NOW - SILENT_SECONDS - 1)
    assert [action.number for action in plan(fleet(worker(1, 0), silent), NOW) if isinstance(action, Kill)] == [2]


def test_a_worker_is_killed_once() -> None:
    silent = worker(2, 1, heard_at=NOW - SILENT_SECONDS - 1, killed=True)
    assert plan(fleet(worker(1, 0), silent), NOW) == []


def test_a_worker_that_is_never_ready_is_killed() -> None:
    slow = worker(2, 1, Phase.STARTING, started_at=NOW - START_SECONDS - 1)
    assert Kill in {type(action) for action in plan(fleet(worker(1, 0, told=((0, 1), True)), slow), NOW)}


def test_a_restart_replaces_one_worker_after_the_other_and_never_serves_with_less() -> None:
    old, other = ALL_WELL
    assert plan(fleet(old, other, generation=1), NOW) == [Start(0)]
    starting = worker(3, 0, Phase.STARTING, generation=1, up=True, configured=False)
    assert plan(fleet(old, other, starting, generation=1), NOW) == []
    serving = worker(3, 0, generation=1, told=None)
    assert plan(fleet(old, other, serving, generation=1), NOW) == [Retire(1), Tell(3, (0,), True)]
    leaving = replace(old, phase=Phase.LEAVING)
    told = replace(serving, told=((0,), True))
    assert plan(fleet(leaving, other, told, generation=1), NOW) == []
    assert plan(fleet(other, told, generation=1), NOW) == [Start(1)]
    last = worker(4, 1, generation=1)
    assert plan(fleet(other, told, last, generation=1), NOW) == [Retire(2)]
    assert plan(fleet(told, last, generation=1), NOW) == []


def test_a_restart_that_fails_leaves_those_that_serve() -> None:
    failed = fleet(*ALL_WELL, generation=1, deaths={0: Deaths(MAX_FAILED_STARTS, NOW)})
    assert plan(failed, NOW) == [EndRoll(0)]


def test_a_restart_waits_until_a_dead_worker_is_replaced() -> None:
    bereft = fleet(worker(1, 0, told=((0, 1), True)), worker(3, 1, Phase.STARTING, generation=1), generation=1)
    assert plan(bereft, NOW) == []


def test_one_worker_watches_and_when_it_leaves_another_does() -> None:
    assert plan(fleet(*ALL_WELL, needs_watcher=True), NOW) == [SetWatching(1)]
    assert plan(fleet(*ALL_WELL, needs_watcher=True, watcher=2), NOW) == []
    leaving = (replace(ALL_WELL[0], phase=Phase.LEAVING), ALL_WELL[1], worker(3, 0))
    assert plan(fleet(*leaving, needs_watcher=True, watcher=1), NOW) == [SetWatching(3)]


def test_when_it_stops_all_leave_and_none_is_started() -> None:
    leaving = worker(1, 0, Phase.LEAVING)
    assert plan(fleet(leaving, worker(2, 1), worker(3, 0, Phase.STARTING), stopping=True), NOW) == [
        Retire(2),
        Retire(3),
    ]
    assert plan(fleet(stopping=True), NOW) == []


PHASES = st.sampled_from(list(Phase))


@given(st.integers(1, 4), st.integers(0, 2), st.lists(st.tuples(st.integers(0, 3), PHASES, st.integers(0, 2))))
def test_every_socket_is_accepted_on_by_exactly_one_worker_while_any_serves(
    slots: int, generation: int, drawn: list[tuple[int, Phase, int]]
) -> None:
    workers = tuple(
        worker(number, slot % slots, phase, generation=min(made, generation), told=None)
        for number, (slot, phase, made) in enumerate(drawn)
    )
    told = {
        action.number: action.slots
        for action in plan(fleet(*workers, slots=slots, generation=generation), NOW)
        if isinstance(action, Tell)
    }
    if any(each.phase is Phase.SERVING for each in workers):
        assert sorted(slot for mine in told.values() for slot in mine) == list(range(slots))


@given(st.integers(1, 4), st.integers(0, 1))
def test_from_nothing_and_through_a_restart_it_comes_to_rest_with_one_worker_a_slot(slots: int, rolls: int) -> None:
    """A world in which every action succeeds at once."""
    state = Fleet(slots, 0, (), configuration_known=True)
    number = 0
    rolled = 0
    for _ in range(200):
        actions = plan(state, NOW)
        if not actions:
            if rolled == rolls:
                break
            rolled += 1
            state = replace(state, generation=state.generation + 1)
            continue
        workers = {each.number: each for each in state.workers}
        for action in actions:
            match action:
                case Start(slot):
                    number += 1
                    workers[number] = worker(number, slot, Phase.STARTING, up=True, generation=state.generation)
                case Admit(admitted):
                    workers[admitted] = replace(workers[admitted], phase=Phase.SERVING)
                case Tell(told, mine, ready):
                    workers[told] = replace(workers[told], told=(mine, ready))
                    state = replace(state, opened=state.opened or ready)
                case Retire(gone):
                    del workers[gone]
                case other:
                    raise AssertionError(other)
        state = replace(state, workers=tuple(workers.values()), ever_served=True)
        if rolled:
            serving = [each for each in workers.values() if each.phase is Phase.SERVING]
            assert len(serving) >= slots
    assert sorted(each.slot for each in state.workers) == list(range(slots))
    assert {each.generation for each in state.workers} == {rolls}
