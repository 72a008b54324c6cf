"""What the bench of gateways makes of its rounds."""

from __future__ import annotations

import math

import pytest

from bench.gateways.cases import CASES, FIRST_BYTE, ONE, STREAMS, WHOLE, Case, Measured
from bench.gateways.goals import judge, judge_router, tell_rounds
from bench.gateways.ratios import (
    DIRECT,
    Rounds,
    added_first_byte_ms,
    added_ms,
    added_ratio,
    per_core,
    per_core_ratios,
    rate_ratios,
)
from bench.report import Report


def _measured(
    per_second: float = 1000.0,
    *,
    p50: float = 1.0,
    p99: float = 2.0,
    cpu_us: float = 100.0,
    first: float = 1.0,
    wrong: int = 0,
) -> Measured:
    return Measured(
        answers=1000,
        wrong=wrong,
        per_second=per_second,
        p50_ms=p50,
        p99_ms=p99,
        cpu_us=cpu_us,
        first_p50_ms=first,
    )


def _rounds(*names: str) -> dict[tuple[Case, str], list[Measured]]:
    """Three even rounds of everything."""
    return {(case, name): [_measured()] * 3 for case in CASES for name in (DIRECT, *names)}


def test_rates_are_compared_within_each_round_so_that_a_slow_minute_falls_on_both() -> None:
    rounds: Rounds = {
        (WHOLE, "mine"): [_measured(700), _measured(70), _measured(800)],
        (WHOLE, "other"): [_measured(1000), _measured(100), _measured(1000)],
    }
    assert rate_ratios(rounds, WHOLE, "mine", "other") == pytest.approx([0.7, 0.7, 0.8])


def test_a_rate_beside_one_that_answered_nothing_is_infinite_and_can_be_printed() -> None:
    rounds: Rounds = {(WHOLE, "mine"): [_measured(700)], (WHOLE, "other"): [_measured(0)]}
    ratios = rate_ratios(rounds, WHOLE, "mine", "other")
    assert ratios == [math.inf]
    report = Report("title")
    report.add("ratio", ratios[0], at_least=40)
    assert "inf  ≥ 40 met" in report.text()


def test_who_takes_half_the_cpu_time_is_twice_as_fast_per_core() -> None:
    rounds: Rounds = {(WHOLE, "mine"): [_measured(cpu_us=50)], (WHOLE, "other"): [_measured(cpu_us=100)]}
    assert per_core_ratios(rounds, WHOLE, "mine", "other") == [2.0]
    assert per_core(rounds, WHOLE, "mine") == pytest.approx(20_000)


@pytest.mark.parametrize(("percent", "added"), [(50, [0.4, 0.6]), (99, [1.0, 3.0])])
def test_what_a_server_adds_is_what_direct_requests_of_the_same_round_did_not_take(
    percent: int, added: list[float]
) -> None:
    rounds: Rounds = {
        (ONE, "mine"): [_measured(p50=0.5, p99=2.0), _measured(p50=0.8, p99=4.0)],
        (ONE, DIRECT): [_measured(p50=0.1, p99=1.0), _measured(p50=0.2, p99=1.0)],
    }
    assert added_ms(rounds, "mine", percent=percent) == pytest.approx(added)


def test_the_ratio_of_what_two_add_is_that_of_their_medians() -> None:
    rounds: Rounds = {
        (ONE, "mine"): [_measured(p50=0.6), _measured(p50=0.6), _measured(p50=0.6)],
        (ONE, "other"): [_measured(p50=0.1), _measured(p50=0.35), _measured(p50=0.35)],
        (ONE, DIRECT): [_measured(p50=0.1)] * 3,
    }
    assert added_ratio(rounds, "mine", "other") == pytest.approx(2.0)


def test_the_first_byte_is_looked_at_and_not_the_last() -> None:
    rounds: Rounds = {
        (FIRST_BYTE, "mine"): [_measured(p50=44.0, first=0.7)],
        (FIRST_BYTE, DIRECT): [_measured(p50=0.4, first=0.2)],
    }
    assert added_first_byte_ms(rounds, "mine") == pytest.approx([0.5])


def _verdicts(rounds: Rounds, names: list[str]) -> dict[str, bool | None]:
    report = Report("title")
    judge(report, rounds, names)
    return {row.name: row.met for row in report.rows}


def test_goals_are_met_at_their_bounds_and_missed_below() -> None:
    names = [DIRECT, "fairlead", "bare-aiohttp", "tensorzero", "litellm", "nginx"]
    rounds = _rounds(*names[1:])
    rounds[WHOLE, "fairlead"] = [_measured(700)] * 3
    rounds[WHOLE, "litellm"] = [_measured(20)] * 3
    rounds[STREAMS, "fairlead"] = [_measured(690, cpu_us=200)] * 3
    rounds[ONE, DIRECT] = [_measured(p50=0.5)] * 3
    rounds[ONE, "fairlead"] = [_measured(p50=1.5)] * 3
    assert {name: met for name, met in _verdicts(rounds, names).items() if met is not None} == {
        "wrong answers": True,
        "whole c=32, fairlead / bare-aiohttp": True,
        "whole c=32, fairlead / tensorzero": False,
        "whole c=32, fairlead / litellm": False,
        "stream c=32, fairlead / bare-aiohttp": False,
        "stream c=32, fairlead / bare-aiohttp, per core": False,
        "added p50 c=1, fairlead / bare-aiohttp": False,
    }


def test_a_wrong_answer_of_anybody_is_a_goal_missed() -> None:
    rounds = _rounds("nginx")
    rounds[WHOLE, "nginx"] = [_measured(wrong=1)] * 3
    assert _verdicts(rounds, [DIRECT, "nginx"]) == {"wrong answers": False}


@pytest.mark.parametrize(("answers", "met"), [(99_999, None), (100_000, False)])
def test_memory_has_a_goal_only_after_a_hundred_thousand_answers(answers: int, met: bool | None) -> None:
    report = Report("title")
    judge_router(report, ready=[0.4, 0.5, 1.2], answers=answers, resident_mib=81)
    ready, memory = report.rows
    assert (ready.value, ready.met) == (0.5, True)
    assert memory.met is met


def test_every_round_is_told() -> None:
    rounds = _rounds("nginx")
    rounds[WHOLE, "nginx"] = [_measured(1), _measured(22), _measured(333)]
    assert "nginx            1, 22, 333; 1.00 and 2.00 ms" in tell_rounds(rounds, [DIRECT, "nginx"])
