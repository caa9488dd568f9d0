"""A pricing run that was killed goes on in the middle of its period, and pays for nothing twice."""

from __future__ import annotations

import hashlib
import re
import signal
import time
from collections import Counter

import numpy as np
import pytest

from ludens.experiments import Run
from ludens.experiments.pricing.history import histories
from tests.experiments.lives import lives_of
from tests.loopback import Loopback, say

PERIODS = 18


def by_prompt(request):
    """A reply that depends on the prompt alone; every sixth question must be put again."""
    messages = request["messages"]
    digest = hashlib.sha256(messages[1]["content"].encode()).digest()
    if digest[1] % 6 == 0 and len(messages) == 2:
        return say("free")
    price = 1.4 + digest[0] / 400
    return say(f"OBSERVATIONS: o\nPLANS: plan {digest[2]}\nINSIGHTS: insight {digest[3]}\nPRICE: {price:.4f}")


def period_of(request):
    """The period that a request asks a price for, from 1."""
    return int(re.findall(r"Reply now for period (\d+)", request["messages"][1]["content"])[-1])


class Killer(Loopback):
    """Kills the client in place of answering the n-th request of a period, for the (period, n) in `at`."""

    def __init__(self, at, lives):
        super().__init__(otherwise=by_prompt)
        self.at = set(at)
        self.lives = lives
        self.seen = Counter()
        self.unanswered = []

    def react(self, request):
        answer = super().react(request)
        with self._lock:
            self.seen[period_of(request)] += 1
            place = (period_of(request), self.seen[period_of(request)])
        if place in self.at:
            self.unanswered.append(request)
            self.lives.kill()
        return answer


@pytest.fixture(scope="module")
def lives():
    with lives_of("tests.experiments.pricing.market_lives") as lives:
        yield lives


def arguments(server, path, concurrency):
    model = {"spec": "openai/loopback", "api_base": server.url}
    return {
        "firms": [model, {**model, "prefix": "P2", "persona": "homo_moralis"}],
        "periods": PERIODS,
        "scales": [1.0, 3.2] if concurrency > 1 else [1.0],
        "seed": 5,
        "path": path,
        "concurrency": concurrency,
    }


def requests_of(server):
    return Counter(str(request["messages"]) + str(request.get("seed")) for request in server.requests)


def panel_of(path):
    """Everything that happened, byte for byte."""
    with Run(path) as run:
        found = histories(run)
        arrays = [np.stack([each.prices, each.quantities, each.profits]).tobytes() for each in found]
        notes = [
            (place, each.notes) for history in found for place, each in sorted(history.decisions.items())
        ]
        return run.final_table(), arrays, notes


@pytest.mark.parametrize(("concurrency", "at"), [(1, [(17, 1), (17, 4), (18, 2)]), (2, [(3, 2), (17, 3)])])
def test_a_run_killed_in_the_middle_of_a_period_ends_as_if_it_had_not_been(tmp_path, lives, concurrency, at):
    whole, broken = tmp_path / "whole.db", tmp_path / "broken.db"
    with Loopback(otherwise=by_prompt) as server:
        assert lives.live("play_pricing", **arguments(server, whole, concurrency)) == 0
    with Killer(at, lives) as killer:
        life = ("play_pricing", arguments(killer, broken, concurrency))
        for _ in at:
            assert lives.live(life[0], **life[1]) == -signal.SIGKILL
            life = ("resume", {"path": broken})
            with Run(broken) as run:
                assert run.manifest["status"] == "running"
        assert lives.live(life[0], **life[1]) == 0
    assert panel_of(broken) == panel_of(whole)
    with Run(whole) as expected, Run(broken) as found:
        assert found.manifest["status"] == "done"
        assert found.summary().calls == expected.summary().calls
    again = requests_of(killer) - requests_of(server)
    assert requests_of(server) - requests_of(killer) == Counter()
    # Asked twice is at most what was under way at each death: the firms of each episode.
    assert len(at) <= again.total() <= len(at) * concurrency * 2
    assert all(period_of(request) in {period for period, _ in at} for request in killer.unanswered)


def test_one_firm_s_answer_is_kept_where_the_other_s_was_still_awaited(tmp_path, lives):
    """The second firm's model answers only after the process has died; the first one's is not asked again."""

    def answers(request):
        second = "Try out prices boldly" in request["messages"][1]["content"]
        if second and period_of(request) == 17 and not killed:
            killed.append(request)
            while (16, "firm_0") not in kept():
                time.sleep(0.01)
            lives.kill()
        return by_prompt(request)

    def kept():
        with Run(path) as run:
            return [(record.round, record.agent) for record in run.decisions()]

    killed = []
    path = tmp_path / "run.db"
    with Loopback(otherwise=answers) as server:
        assert lives.live("play_pricing", **arguments(server, path, 1)) == -signal.SIGKILL
        assert kept()[-2:] == [(15, "firm_1"), (16, "firm_0")]
        assert lives.live("resume", path=path) == 0
        repeated = [key for key, count in requests_of(server).items() if count > 1]
    assert len(repeated) == 1
    assert repeated[0] == str(killed[0]["messages"]) + str(killed[0].get("seed"))


@pytest.mark.parametrize(("moves", "at"), [("leader", (3, 2)), ("in turns", (3, 1))])
def test_firms_that_move_one_after_another_go_on_where_they_were_killed(tmp_path, lives, moves, at):
    whole, broken = tmp_path / "whole.db", tmp_path / "broken.db"
    more = {"moves": moves, "periods": 5}
    with Loopback(otherwise=by_prompt) as server:
        assert lives.live("play_pricing", **arguments(server, whole, 1) | more) == 0
    with Killer([at], lives) as killer:
        assert lives.live("play_pricing", **arguments(killer, broken, 1) | more) == -signal.SIGKILL
        assert lives.live("resume", path=broken) == 0
    assert panel_of(broken) == panel_of(whole)
    assert len(killer.requests) == len(server.requests) + 1
