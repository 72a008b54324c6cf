"""Many answers made into one: metrics, configuration, decisions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from fairlead_cli.workers.admin import Ledger
from fairlead_cli.workers.merge_answers import Said, first_found, merged_config, newest_decisions, worst
from fairlead_cli.workers.merge_metrics import GAUGES, Exposition, merged, parse, render, what_grows
from fairlead_router.record.metric_table import Metric, MetricType


def counted(requests: dict[str, int], gauge: float = 0.0) -> str:
    """What a worker would write."""
    registry = CollectorRegistry()
    counter = Counter("requests", "Requests, with a \\ and\na line.", ["model", "status"], registry=registry)
    histogram = Histogram("seconds", "How long.", ["model"], buckets=(0.1, 1), registry=registry)
    for model, number in requests.items():
        counter.labels(model, '2 "0" 0').inc(number)
        for _ in range(number):
            histogram.labels(model).observe(0.5)
    Gauge("fairlead_config_revision", "Revision.", registry=registry).set(gauge)
    Gauge("fairlead_requests_in_flight", "Now.", registry=registry).set(gauge)
    return generate_latest(registry).decode()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """All samples that are no time stamps, as a scraper reads them."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def sum_of(*expositions: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return samples(render(merged([parse(text) for text in expositions])))


def test_one_exposition_comes_out_as_it_went_in() -> None:
    text = counted({"a": 3, "b c": 1}, 7)
    assert sum_of(text) == samples(text)


def test_counters_and_histograms_add_up_and_gauges_become_what_they_mean() -> None:
    total = sum_of(counted({"a": 3, "b c": 1}, 7), counted({"b c": 2, "d": 5}, 6))
    status = ("status", '2 "0" 0')
    assert {key[1][0][1]: value for key, value in total.items() if key[0] == "requests_total"} == {
        "a": 3,
        "b c": 3,
        "d": 5,
    }
    assert total["requests_total", (("model", "b c"), status)] == 3
    assert total["seconds_count", (("model", "b c"),)] == 3
    assert total["seconds_bucket", (("le", "1.0"), ("model", "b c"))] == 3
    assert total["seconds_bucket", (("le", "0.1"), ("model", "b c"))] == 0
    assert total["fairlead_config_revision", ()] == 6
    assert total["fairlead_requests_in_flight", ()] == 13


def test_values_that_are_no_numbers_survive() -> None:
    text = '# TYPE odd gauge\nodd{a="x"} NaN\nodd{a="y"} +Inf\nodd{a="z"} -Inf\n'
    assert render(parse(text)) == text


def test_what_is_said_of_every_gauge_of_the_router_stands_in_the_table() -> None:
    gauges = {metric.value.name for metric in Metric if metric.value.type is MetricType.GAUGE}
    assert gauges <= GAUGES.keys()


def test_what_a_worker_counted_stays_when_it_is_gone_and_what_it_did_not_does_not() -> None:
    ledger = Ledger()
    nothing: Exposition = {}
    for number in (1, 2):
        ledger.began(number)
        ledger.saw(number, counted({"a": 10 * number}, number).encode())
    ledger.gone(1)
    ledger.saw(1, counted({"a": 99}).encode())
    total = samples(ledger.total(nothing))
    assert sum(value for (name, _), value in total.items() if name == "requests_total") == 30
    assert total["fairlead_requests_in_flight", ()] == 2
    ledger.gone(2)
    total = samples(ledger.total(nothing))
    assert sum(value for (name, _), value in total.items() if name == "requests_total") == 30
    assert what_grows(parse(counted({"a": 1}))).keys() == {"requests_total", "seconds"}


def config(revision: int, *, source: str | None = "api", runs: bool = True, **more: Any) -> Said:
    """What a worker says at ``/-/config``."""
    said = {
        "epoch": 1,
        "revision": revision,
        "source": source,
        "lastOfferRuns": runs,
        "lastRejected": None,
        "doors": {},
    }
    return Said(200, "application/json", json.dumps(said | more).encode())


@pytest.mark.parametrize(
    ("said", "revision", "source"),
    [
        ([config(4), config(4)], 4, "api"),
        ([config(4), config(5)], 4, "api"),
        ([config(5), config(4)], 4, "api"),
        ([config(5), config(0, source=None)], 0, None),
    ],
)
def test_a_generation_is_said_to_run_when_every_worker_runs_it(
    said: list[Said], revision: int, source: str | None
) -> None:
    merged_answer = json.loads(merged_config(list(enumerate(said))).body)
    assert (merged_answer["revision"], merged_answer["source"]) == (revision, source)
    assert [each["worker"] for each in merged_answer["workers"]] == [0, 1]


def test_a_refusal_by_one_worker_is_told_for_all() -> None:
    refusing = config(4, runs=False, lastRejected={"reason": "Malformed"})
    said = json.loads(merged_config([(0, refusing), (1, config(4))]).body)
    assert (said["lastOfferRuns"], said["lastRejected"]) == (False, {"reason": "Malformed"})


def test_the_doors_are_those_of_the_worker_that_watches() -> None:
    watching = config(5, doors={"api": {"connected": True}})
    assert json.loads(merged_config([(0, config(4)), (1, watching)]).body)["doors"] == {"api": {"connected": True}}


def test_an_answer_that_is_none_is_passed_on() -> None:
    assert merged_config([(0, config(4)), (1, Said(500, "text/plain", b"x"))]).status == 500


def test_the_newest_decisions_of_all_are_listed() -> None:
    lists = [[f"{n:04}" for n in range(start, 160, 2)][::-1] for start in (0, 1)]
    said = [Said(200, "application/json", json.dumps({"decisions": ids}).encode()) for ids in lists]
    assert json.loads(newest_decisions(said).body)["decisions"] == [f"{n:04}" for n in range(159, 59, -1)]


def test_a_decision_is_found_with_whoever_made_it_and_a_change_counts_when_all_made_it() -> None:
    found, missing = Said(200, "j", b"found"), Said(404, "j", b"no")
    assert first_found([missing, found]) == found
    assert first_found([missing, missing]) == missing
    assert worst([found, missing]) == missing
