"""What a router says of itself, as far as the operator needs it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from fairlead_operator.routers.poll import report_of
from fairlead_operator.status.rollout import Refusal

ANSWER: dict[str, Any] = {"epoch": 2, "revision": 7, "source": "api", "pending": [], "lastRejected": None, "doors": {}}


def said(**changes: Any) -> bytes:
    return json.dumps(ANSWER | changes).encode()


def test_the_version_it_runs() -> None:
    report = report_of("http://r", said())
    assert (report.address, report.version, report.rejected, report.reachable) == ("http://r", (2, 7), None, True)


def test_one_without_a_configuration_runs_nothing() -> None:
    assert report_of("http://r", said(epoch=0, revision=0, source=None)).version is None


def test_the_providers_whose_credentials_it_lacks() -> None:
    lacking = [{"provider": "a/x", "secret": "keys", "key": key, "version": "v1"} for key in ("k", "j")]
    assert report_of("http://r", said(pending=lacking)).pending == {"a/x"}


def test_what_it_refused_and_why() -> None:
    rejected = {"epoch": 2, "revision": 8, "reason": "TooLarge", "message": "too large", "source": "api", "at": 1.5}
    assert report_of("http://r", said(lastRejected=rejected)).rejected == Refusal((2, 8), "TooLarge", "too large")


def test_a_refusal_is_history_once_what_came_after_it_runs() -> None:
    rejected = {"epoch": 0, "revision": 0, "reason": "Malformed", "message": "half", "source": "api", "at": 1.5}
    assert report_of("http://r", said(lastRejected=rejected, lastOfferRuns=True)).rejected is None
    assert report_of("http://r", said(lastRejected=rejected, lastOfferRuns=False)).rejected is not None


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b'{"epoch": "2"}'])
def test_what_is_no_router_is_found_out(answer: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        report_of("http://r", answer)
