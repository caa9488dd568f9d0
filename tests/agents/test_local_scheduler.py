"""Requests that share the beginning of their prompts are brought together."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.agents.local.scheduler import PATIENCE, Scheduler, nearest

texts = st.text("abc", max_size=6)


@given(st.lists(texts, min_size=1), texts)
def test_the_nearest_prompt_shares_most_with_the_last_one(prompts, last):
    prompts = sorted(prompts)
    shared = [len(os.path.commonprefix([prompt, last])) for prompt in prompts]  # noqa: RUF071 - texts
    assert shared[nearest(prompts, last)] == max(shared)


def in_order(prompts, long=0):
    """Submit while the thread is kept busy, let it go, and tell in which order the prompts ran."""
    scheduler: Scheduler[None] = Scheduler("test", long)
    ran: list[str] = []
    gate = threading.Event()
    first = scheduler.submit("", lambda _: gate.wait(), short=True)
    while not first.running():
        pass
    futures = [scheduler.submit(p, lambda _, p=p: ran.append(p), short=True) for p in prompts]
    gate.set()
    for future in futures:
        future.result()
    scheduler.close()
    return ran


def test_prompts_that_begin_alike_run_one_after_another():
    ran = in_order(["game 2, you A", "game 1, you B", "game 2, you B", "game 1, you A"])
    games = [prompt[:6] for prompt in ran]
    assert games in (["game 1"] * 2 + ["game 2"] * 2, ["game 2"] * 2 + ["game 1"] * 2)


def test_equal_prompts_run_in_the_order_they_came():
    scheduler: Scheduler[int] = Scheduler("test", 0)
    futures = [scheduler.submit("same", lambda _, i=i: i, short=True) for i in range(5)]
    assert [future.result() for future in futures] == list(range(5))
    scheduler.close()


def test_nobody_is_passed_over_forever():
    crowd = [f"a{i:04}" for i in range(3 * PATIENCE)]
    ran = in_order(["z", *crowd])
    assert ran.index("z") <= PATIENCE + 1


def test_long_requests_run_together():
    scheduler: Scheduler[int] = Scheduler("test", 4)
    together = threading.Barrier(4)
    futures = [scheduler.submit("", lambda _: together.wait(), short=False) for _ in range(4)]
    assert sorted(future.result() for future in futures) == [0, 1, 2, 3]
    scheduler.close()


def test_an_error_reaches_the_caller_and_the_thread_goes_on():
    scheduler: Scheduler[int] = Scheduler("test", 0)
    with pytest.raises(ZeroDivisionError):
        scheduler.submit("", lambda _: 1 // 0, short=True).result()
    assert scheduler.submit("", lambda _: 7, short=True).result() == 7
    scheduler.close()


def test_closing_drops_what_waits_and_finishes_what_runs():
    scheduler: Scheduler[int] = Scheduler("test", 0)
    started, gate = threading.Event(), threading.Event()

    def work(_):
        started.set()
        gate.wait()
        return 1

    running = scheduler.submit("", work, short=True)
    started.wait()
    waiting = scheduler.submit("", lambda _: 2, short=True)
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    while not waiting.cancelled():
        pass
    gate.set()
    closing.join()
    assert running.result() == 1
    with pytest.raises(RuntimeError, match="closed"):
        scheduler.submit("", lambda _: 3, short=True)


def test_a_request_cancelled_before_its_turn_is_not_run():
    scheduler: Scheduler[None] = Scheduler("test", 0)
    gate, ran = threading.Event(), []
    scheduler.submit("", lambda _: gate.wait(), short=True)
    cancelled = scheduler.submit("", lambda _: ran.append(1), short=True)
    assert cancelled.cancel()
    gate.set()
    scheduler.submit("", lambda _: ran.append(2), short=True).result()
    scheduler.close()
    assert ran == [2]
