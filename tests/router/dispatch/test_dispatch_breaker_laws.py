"""What no sequence of outcomes can bring a circuit breaker to do."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fairlead_router.dispatch.breaker import Breaker, BreakerRules
from fairlead_router.select.view import BreakerState

LONGEST_JITTER = 1.1
LONGEST_RAMP = 10.0
ROUNDING_SECONDS = 1e-6
seconds = st.floats(0, 200, allow_nan=False)


class BreakerMachine(RuleBasedStateMachine):
    """Requests come, end in every way and at every time; a probe reports before the breaker opens again."""

    @initialize(
        probes=st.integers(1, 3),
        opening=st.integers(1, 20),
        longest=st.integers(20, 60),
        draw=st.floats(0, 1, exclude_max=True),
    )
    def begin(self, probes: int, opening: int, longest: int, draw: float) -> None:
        self.given = BreakerRules(
            window_seconds=30,
            min_requests=4,
            consecutive_failures=3,
            open_seconds=opening,
            max_open_seconds=longest,
            half_open_requests=probes,
        )
        self.breaker = Breaker(lambda: draw)
        self.now = 0.0
        self.probing = 0
        self.recent: list[tuple[float, bool]] = []

    def _state(self) -> BreakerState:
        return self.breaker.view(self.now).state

    @rule(later=seconds)
    def time_passes(self, later: float) -> None:
        self.now += later

    @rule()
    def a_request_comes(self) -> None:
        before, passed = self._state(), self.breaker.acquire(self.now, self.given)
        assert self._state() is before
        if before is not BreakerState.HALF_OPEN:
            assert passed is (before is BreakerState.CLOSED)
        elif self.breaker.ramp_percent is None:
            assert passed is (self.probing < self.given.half_open_requests)
            self.probing += passed

    @precondition(lambda self: self.probing)
    @rule(ending=st.sampled_from(("succeeded", "failed", "released", "asked to wait")), retry_after=st.none() | seconds)
    def a_probe_ends(self, ending: str, retry_after: float | None) -> None:
        if ending == "released":
            self.breaker.release()
            self.probing -= 1
            return
        self.probing = 0
        if ending == "succeeded":
            self.breaker.succeeded(self.now, self.given)
            assert self._state() is not BreakerState.OPEN
        elif ending == "failed":
            self.breaker.failed(self.now, self.given, retry_after_seconds=retry_after)
            assert self._state() is BreakerState.OPEN
        else:
            self.breaker.wait(self.now, 1.0 + (retry_after or 0.0), self.given)
            assert self._state() is BreakerState.OPEN

    @precondition(lambda self: self._state() is not BreakerState.HALF_OPEN)
    @rule(success=st.booleans(), retry_after=st.none() | seconds)
    def a_request_from_before_ends(self, success: bool, retry_after: float | None) -> None:
        before = self.breaker.view(self.now)
        if success:
            self.breaker.succeeded(self.now, self.given)
        else:
            self.breaker.failed(self.now, self.given, retry_after_seconds=retry_after)
        after = self.breaker.view(self.now)
        if before.state is BreakerState.OPEN:
            assert after.opens_again_in_seconds >= before.opens_again_in_seconds
        self.probing = 0

    @invariant()
    def an_opening_ends(self) -> None:
        left = self.breaker.view(self.now).opens_again_in_seconds
        assert 0 <= left <= self.given.max_open_seconds * LONGEST_JITTER + ROUNDING_SECONDS

    @invariant()
    def counts_are_those_of_the_window(self) -> None:
        assert self.breaker.window.successes >= 0
        assert self.breaker.window.failures >= 0

    @invariant()
    def a_ramp_ends(self) -> None:
        if self.breaker.ramp_percent is not None:
            assert self.breaker.view(self.now + LONGEST_RAMP).state is BreakerState.CLOSED


TestBreaker = BreakerMachine.TestCase
