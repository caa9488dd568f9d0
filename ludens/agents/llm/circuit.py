"""Outages and rate limits of a server, waited out by all requests to it together.

Every model at every address has one `Circuit`, a circuit breaker (Nygard, *Release It!*, 2nd ed. 2018, ch. 5)
whose requests wait instead of failing:

* A few failures in a row without a success open it. One request at a time then goes out as a probe, after
  waits that double up to a minute, and all others wait for it. A success closes the circuit; requests come
  back in growing numbers, as after a congestion (TCP's slow start).
* A refusal because of too many requests (429) halves the number of requests under way and makes the others
  wait, however many succeed meanwhile. From there the number grows by one for each round of successes
  (additive increase, multiplicative decrease, as after a congestion of TCP). Another failure of the server
  (5xx, a time-out) shrinks nothing: successes of requests sent before it do not count as growth.
* An outage that lasts longer than the patience, measured from its first failure, ends all waiting requests
  with the same sentence. A server that has never answered is given up after a few tries: its address may be
  wrong. One that says that it is unavailable (503) is there, and waited for.
* A run that several processes share has a circuit in each. A process that is refused tells the others, which
  wait and halve their own number, as if they had been refused themselves.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakKeyDictionary

from ludens.agents.journal import check_going_on
from ludens.agents.llm.endpoint import Endpoint
from ludens.agents.llm.faults import (
    NoReplyError,
    asked_wait,
    backoff,
    is_rate_limit,
    is_temporary,
    is_timeout,
    provider_words,
    status_of,
)
from ludens.agents.secrets import mask_error

T = TypeVar("T")
logger = logging.getLogger("ludens")

OPENS_AFTER = 5
"""Failures in a row, without a success between them, that open a circuit."""

FEW_TRIES = 5
"""Tries of a server that has never answered, over 7.5 to 15 seconds if nothing else is set."""

NOTICED, QUIET = 10.0, 300.0
"""Seconds after which an outage is told of, and seconds in which nothing more is said of that server."""

PULSE = 0.5
"""Seconds between two looks at whether the run of a waiting request is to stop."""

_circuits: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Circuit]] = WeakKeyDictionary()


_tell_others: list[Callable[[Refusal], None]] = []


def share_refusals(tell: Callable[[Refusal], None]) -> None:
    """Tell the other processes of a run of refusals because of too many requests; they `heed_refusal`."""
    _tell_others[:] = [tell]


def heed_refusal(refusal: Refusal) -> None:
    """Take a refusal that another process of the run was given; called in the event loop that asks."""
    circuits = _circuits.get(asyncio.get_running_loop(), {})
    if (circuit := circuits.get((refusal.model, refusal.address))) is not None:
        circuit.refused_elsewhere(refusal)


def circuit_of(endpoint: Endpoint) -> Circuit:
    """Return the circuit of a model at its address in the running event loop."""
    circuits = _circuits.setdefault(asyncio.get_running_loop(), {})
    return circuits.setdefault((endpoint.model, endpoint.address), Circuit())


@dataclass(frozen=True)
class Refusal:
    """A refusal because of too many requests, for the other processes of a run.

    Attributes:
        model, address: of the server.
        seconds: how long ago the request went out that was refused.
        wait: seconds that the server asks for; None if it does not say.
        retry_wait: seconds of the first wait otherwise.
    """

    model: str
    address: str
    seconds: float
    wait: float | None
    retry_wait: float


@dataclass
class _Tries:
    """The tries of one request.

    Attributes:
        era: what the circuit's was when the request began.
        count: how many failed.
        first: when the first of them did.
        not_before: when the next may go out.
    """

    era: int
    count: int = 0
    first: float = 0.0
    not_before: float = 0.0


class Circuit:
    """What is known of a server by the requests of one model to it; used in one event loop only."""

    def __init__(self) -> None:
        self._answered = False
        self._noticed = -math.inf
        self._users = 0
        self._elsewhere_until = 0.0  # until then, a refusal of another process is heeded
        self._changed = asyncio.Event()
        # Requests of an era that was given up fail with its reason.
        self._era = 0
        self._reason = ""
        self._heal()

    def _heal(self) -> None:
        """Forget failures, but not whether the server ever answered."""
        self._failures = 0
        self._since = math.inf  # the first of them
        # Requests that fail together count as one attempt.
        self._attempt, self._attempt_began = 0, 0.0
        # No request goes out before what the server asked for, and before our own wait is over.
        self._asked_until = self._pause_until = 0.0
        # Requests allowed under way, and those that are; those sent before the last restriction do not count.
        self._allowed, self._window, self._under_way = math.inf, 0, 0
        # Above what was allowed after the last refusal the number grows slowly.
        self._slowly_from = math.inf
        self._failed_at = -math.inf

    async def send(self, endpoint: Endpoint, request: Callable[[], Awaitable[T]]) -> tuple[T, int]:
        """Make a request, and repeat it while its failures are temporary.

        Returns:
            What the request returned, and how often it was repeated.

        Raises:
            NoReplyError: patience is spent.
            Exception: what the request raised, if asking again will not help.
        """
        if not self._users and now() >= self._elsewhere_until:
            self._heal()  # nobody has asked for a while, so an outage that was seen then may be over
        self._users += 1
        try:
            return await self._send(endpoint, request)
        finally:
            self._users -= 1

    async def _send(self, endpoint: Endpoint, request: Callable[[], Awaitable[T]]) -> tuple[T, int]:
        tries = _Tries(self._era)
        while True:
            await self._admission(tries)
            window, sent = self._window, now()
            self._under_way += 1
            try:
                reply = await request()
            except Exception as error:
                if not is_temporary(error):
                    if status_of(error) in (400, 422):
                        self._succeeded(sent)  # a server that rejects a request is there
                    raise
                reason = self._failed(endpoint, error, tries, sent)
                if reason:
                    mask_error(error)  # it comes to light as the cause
                    raise NoReplyError(reason) from error
            else:
                self._succeeded(sent)
                return reply, tries.count
            finally:
                if window == self._window:
                    self._under_way -= 1
                self._tell()

    async def _admission(self, tries: _Tries) -> None:
        """Wait until a request may go out.

        Raises:
            NoReplyError: the server was given up meanwhile.
        """
        while tries.era == self._era:
            seconds = max(tries.not_before, self._asked_until, self._pause_until) - now()
            if seconds <= 0 and self._under_way < self._allowed:
                return
            await wait(self._changed, seconds if seconds > 0 else None)
        raise NoReplyError(self._reason)

    def _tell(self) -> None:
        """Let all that wait look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _succeeded(self, sent: float) -> None:
        self._answered = True
        self._failures, self._since, self._attempt, self._pause_until = 0, math.inf, 0, 0.0
        if sent >= self._failed_at:
            self._allowed += 1 if self._allowed < self._slowly_from else 1 / self._allowed

    def _failed(self, endpoint: Endpoint, error: Exception, tries: _Tries, sent: float) -> str:
        """Book a failure.

        Args:
            endpoint: with the patience.
            error: the temporary fault.
            tries: of the request.
            sent: when it went out.

        Returns:
            Why the server is given up; empty if it is not.
        """
        if tries.era != self._era:
            return self._reason
        failed = now()
        tries.count += 1
        # Where a server hangs, nobody has heard of it since the request went out.
        begun = sent if is_timeout(error) else failed
        tries.first = tries.first or begun
        self._failures += 1
        self._since = min(self._since, begun)
        alone = sent >= self._attempt_began
        if alone:
            self._attempt, self._attempt_began = self._attempt + 1, failed
        limited = is_rate_limit(error)
        if limited:
            self._answered = True
            if alone:
                self._halve()
        else:
            self._failed_at = failed
        if not limited and self._allowed > 1 and (self._failures >= OPENS_AFTER or not self._answered):
            alone = True  # the first pause follows, whichever failure opened the circuit
            self._restrict(1.0)
        asked = asked_wait(error)
        deadline = self._since + endpoint.patience
        reason = self._reason_to_stop(endpoint, error, tries, asked)
        if reason:
            self._give_up(reason)
            return reason
        self._say_that_it_waits(endpoint, error, asked or 0.0)
        if limited and alone:
            for tell in _tell_others:
                tell(Refusal(endpoint.model, endpoint.address, failed - sent, asked, endpoint.retry_wait))
        if asked is not None:
            self._asked_until = max(self._asked_until, failed + asked)
        elif limited or self._allowed == 1:
            if alone:  # the last try is at the end of the patience
                self._pause_until = min(failed + backoff(self._attempt, endpoint.retry_wait), deadline)
        else:
            tries.not_before = failed + backoff(tries.count, endpoint.retry_wait)
        return reason

    def refused_elsewhere(self, refusal: Refusal) -> None:
        """Wait and shrink as after a refusal of one's own, unless one was given for the same moment."""
        heard = now()
        if heard - refusal.seconds < self._attempt_began:
            return
        self._answered = True
        self._attempt, self._attempt_began = self._attempt + 1, heard
        self._halve()
        if refusal.wait is not None:
            self._asked_until = max(self._asked_until, heard + refusal.wait)
        else:
            self._pause_until = max(self._pause_until, heard + backoff(self._attempt, refusal.retry_wait))
        self._elsewhere_until = max(self._asked_until, self._pause_until)
        self._tell()

    def _halve(self) -> None:
        """Allow half of the requests that are under way, and from there slowly more."""
        self._restrict(max(1.0, min(self._allowed, self._under_way) // 2))
        self._slowly_from = self._allowed

    def _say_that_it_waits(self, endpoint: Endpoint, error: Exception, asked: float) -> None:
        """Log that an outage is waited out, once it has lasted a while, and not for each of many."""
        failed = now()
        if failed + asked < self._since + NOTICED or failed < self._noticed + QUIET:
            return
        self._noticed = failed
        left = self._since + endpoint.patience - failed
        logger.warning(
            "%s gives no reply at %s (%s): waiting for it, for up to %s more.",
            endpoint.model, endpoint.where, provider_words(error), _span(left),
        )  # fmt: skip

    def _restrict(self, allowed: float) -> None:
        """Allow so many requests under way, not counting those that already are."""
        if allowed < self._allowed:
            self._allowed, self._window, self._under_way = allowed, self._window + 1, 0

    def _give_up(self, reason: str) -> None:
        """End all requests that wait, and those under way that fail."""
        window = self._window + 1
        self._heal()
        self._window = window
        self._era, self._reason = self._era + 1, reason

    def _reason_to_stop(
        self, endpoint: Endpoint, error: Exception, tries: _Tries, asked: float | None
    ) -> str:
        """Return the sentence for a fault that has lasted too long; empty while there is patience."""
        failed, patience = now(), endpoint.patience
        said, limited = provider_words(error), is_rate_limit(error)
        local = endpoint.model.startswith("local/")
        head = f"{endpoint.model} gave no reply{'' if local else f' at {endpoint.where}'}"
        if endpoint.transport_retries is not None and tries.count > endpoint.transport_retries:
            times = f"{tries.count} {'try' if tries.count == 1 else 'tries'}"
            return f"{head} in {times} ({said}): see to the connection and the provider, then go on."
        if asked is not None and failed + asked > self._since + patience:
            return (
                f"{head}, which asks to wait {_span(asked)} ({said}): go on after {_clock(asked)}, or with a "
                "larger patience (--patience)."
            )
        # What is unavailable is there, such as a server that still loads its model.
        hasty = endpoint.transport_retries is None and not (limited or asked or status_of(error) == 503)
        if hasty and (
            (not self._answered and self._attempt >= FEW_TRIES) or (local and tries.count >= FEW_TRIES)
        ):
            return (
                f"{head} in {self._failures} tries over {_span(failed - self._since)} ({said}): see whether "
                "a server answers there, and go on."
            )
        if failed >= self._since + patience and limited:
            return (
                f"{head} for {_span(failed - self._since)}, because of its limit on requests ({said}): go on "
                "later, with a lower concurrency or a larger patience (--patience)."
            )
        if failed >= self._since + patience:
            return (
                f"{head} for {_span(failed - self._since)}, in {self._failures} tries ({said}): go on when "
                "it answers again, or with a larger patience (--patience)."
            )
        if not limited and tries.count >= FEW_TRIES and failed >= tries.first + patience:
            return (
                f"{head} to one request in {tries.count} tries over {_span(failed - tries.first)} ({said}), "
                "while it answers others: see what is special about it, then go on."
            )
        return ""


def now() -> float:
    """Return the time in seconds on a clock that never goes back."""
    return time.monotonic()


async def wait(event: asyncio.Event, seconds: float | None) -> None:
    """Wait for the event, for so many seconds at most; None for no limit.

    Raises:
        Exception: the run is to stop: what only waits is not waited for.
    """
    until = math.inf if seconds is None else now() + seconds
    while not event.is_set() and (left := until - now()) > 0:
        check_going_on()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(left, PULSE)):
                await event.wait()


def _span(seconds: float) -> str:
    """Return a duration in words."""
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size * (1 if size == 1 else 2):
            return f"{round(seconds / size)} {word}{'s' if round(seconds / size) != 1 else ''}"
    return f"{seconds:.2g} seconds"


def _clock(seconds: float) -> str:
    """Return the local time so many seconds from now."""
    then = time.localtime(time.time() + seconds)
    return time.strftime("%H:%M" if seconds < 43200 else "%Y-%m-%d %H:%M", then)
