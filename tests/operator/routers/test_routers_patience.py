"""A late answer is not yet a router that is gone."""

from __future__ import annotations

from fairlead_operator.routers.patience import Patience
from fairlead_operator.status.rollout import RouterReport

HEARD = RouterReport("http://r:9090", (1, 5))
SILENT = RouterReport("http://r:9090", None, reachable=False)


def test_the_last_answer_stands_in_for_a_silence_shorter_than_the_grace() -> None:
    patience = Patience[RouterReport](10.0)
    assert patience.steady([HEARD], 0.0) == (HEARD,)
    assert patience.steady([SILENT], 5.0) == (HEARD,)
    assert patience.steady([SILENT], 9.9) == (HEARD,)
    assert patience.steady([SILENT], 10.0) == (SILENT,)


def test_an_answer_begins_the_grace_anew() -> None:
    patience = Patience[RouterReport](10.0)
    newer = RouterReport("http://r:9090", (1, 6))
    patience.steady([HEARD], 0.0)
    assert patience.steady([newer], 9.0) == (newer,)
    assert patience.steady([SILENT], 18.0) == (newer,)


def test_who_never_answered_gets_no_grace() -> None:
    assert Patience[RouterReport](10.0).steady([SILENT], 0.0) == (SILENT,)


def test_a_router_that_is_no_longer_listed_is_forgotten() -> None:
    patience = Patience[RouterReport](10.0)
    patience.steady([HEARD], 0.0)
    assert patience.steady([], 1.0) == ()
    assert patience.steady([SILENT], 2.0) == (SILENT,)
