"""A run that was killed, at whatever moment, goes on as if nothing had been: no answer is paid for twice."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from ludens.agents import CallablePolicy
from ludens.agents.policy import Decision, Policy
from ludens.errors import UsageError
from ludens.experiments import Run, StoreError, play, resume
from ludens.experiments.bench.result import to_json
from ludens.experiments.bench.study import BenchStudy
from ludens.experiments.study.engine import load_result
from tests.experiments.lives import lives_of
from tests.loopback import Loopback, say

LUDENS = [sys.executable, "-m", "ludens"]


def by_prompt(request):
    """A reply that depends on the prompt alone; every fourth question must be put again."""
    messages = request["messages"]
    digest = hashlib.sha256(messages[1]["content"].encode()).digest()
    if digest[1] % 4 == 0 and len(messages) == 2:
        return say("Well, it depends.")
    return say("A" if digest[0] % 2 else "B")


class Killer(Loopback):
    """Kills the client, by SIGKILL, in place of answering the requests with these numbers."""

    def __init__(self, at, lives):
        super().__init__(otherwise=by_prompt)
        self.at = set(at)
        self.lives = lives
        self.unanswered = []

    def react(self, request):
        answer = super().react(request)
        if self.count in self.at:
            self.unanswered.append(request)
            self.lives.kill()
        return answer


@pytest.fixture(scope="module")
def lives():
    with lives_of("tests.experiments.command_lives") as lives:
        yield lives


def play_arguments(server, path, method, concurrency):
    return (
        *("play", "trust-v0", "-p", "openai/loopback", "-p", "tit_for_tat", "--protocol", "TG3"),
        *("--rounds", 5, "--method", method, "--episodes", 4, "--seed", 3, "--elicit", "sample"),
        *("--api-base", server.url, "--concurrency", concurrency, "--out", path),
    )


def start(*arguments):
    return subprocess.Popen([*LUDENS, *map(str, arguments)], stdout=subprocess.DEVNULL)


BRAKED = """
import sys, time
from ludens.cli import main
from ludens.experiments.runs.store import Store

keep, left = Store.add_decision, int(sys.argv[1])

def add_decision(*arguments):
    global left
    while not left:
        time.sleep(1)
    left -= 1
    return keep(*arguments)

Store.add_decision = add_decision
sys.exit(main(sys.argv[2:]))
"""


def start_braked(most, *arguments):
    """Run the command, which stops and waits to be killed after so many decisions: it cannot end before."""
    command = [sys.executable, "-c", BRAKED, str(most), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def requests_of(server):
    return Counter(str(request["messages"]) + str(request.get("seed")) for request in server.requests)


@pytest.mark.parametrize(
    ("method", "concurrency", "at"), [("direct", 1, (1, 4, 5, 9)), ("strategy", 3, (6, 20))]
)
def test_a_run_killed_at_several_points_ends_as_if_it_had_not_been(tmp_path, lives, method, concurrency, at):
    whole, broken = tmp_path / "whole.db", tmp_path / "broken.db"
    with Loopback(otherwise=by_prompt) as server:
        assert lives.live(*play_arguments(server, whole, method, concurrency)) == 0
    with Killer(at, lives) as killer:
        arguments = play_arguments(killer, broken, method, concurrency)
        for _ in at:
            assert lives.live(*arguments) == -signal.SIGKILL
            arguments = ("resume", broken)
            with Run(broken) as run:
                assert run.manifest["status"] == "running"
        assert lives.live(*arguments) == 0
    with Run(whole) as expected, Run(broken) as found:
        assert found.final_table() == expected.final_table()
        assert found.manifest["status"] == "done"
        assert found.summary().calls == expected.summary().calls
        questions = [
            (call.messages, call.reply) for each in found.decisions() for call in each.decision.calls
        ]
        assert questions == [
            (call.messages, call.reply) for each in expected.decisions() for call in each.decision.calls
        ]
    assert any(len(call.messages) > 2 for each in Run(broken).decisions() for call in each.decision.calls)
    # Only what was under way when the process died is asked again: one call at most per episode being played.
    again = requests_of(killer) - requests_of(server)
    assert requests_of(server) - requests_of(killer) == Counter()
    assert len(at) <= again.total() <= len(at) * concurrency
    if concurrency == 1:
        assert again == Counter(str(each["messages"]) + str(each.get("seed")) for each in killer.unanswered)


@pytest.mark.parametrize(("concurrency", "at"), [(1, (3, 11)), (16, (5, 30))])
def test_a_benchmark_killed_at_several_points_ends_as_if_it_had_not_been(tmp_path, lives, concurrency, at):
    def arguments(server, path):
        return (
            *("bench", "openai/loopback", "--protocols", "TG3,UG1", "--framings", "neutral,twin"),
            *("--elicit", "sample", "--replicates", 2, "--api-base", server.url, "--seed", 3),
            *("--concurrency", concurrency, "--out", path),
        )

    whole, broken = tmp_path / "whole.db", tmp_path / "broken.db"
    with Loopback(otherwise=by_prompt) as server:
        assert lives.live(*arguments(server, whole)) == 0
    with Killer(at, lives) as killer:
        command = arguments(killer, broken)
        for _ in at:
            assert lives.live(*command) == -signal.SIGKILL
            command = ("resume", broken)
            assert not broken.with_suffix(".html").exists()
        assert lives.live(*command) == 0
    assert Run(broken).final_table() == Run(whole).final_table()
    assert Run(broken).manifest["status"] == "done"
    assert Run(broken).summary().calls == Run(whole).summary().calls
    expected, found = load_result(BenchStudy, whole), load_result(BenchStudy, broken)
    assert found.report_path is not None
    assert estimates_of(found) == estimates_of(expected)
    again = requests_of(killer) - requests_of(server)
    assert requests_of(server) - requests_of(killer) == Counter()
    assert len(at) <= again.total() <= len(at) * concurrency
    if concurrency == 1:
        assert again == Counter(str(each["messages"]) + str(each.get("seed")) for each in killer.unanswered)


def estimates_of(result):
    return [entry for entry in to_json(result)["estimates"] if entry["value"] is not None]


def test_a_run_killed_while_it_writes_loses_nothing(tmp_path):
    whole, broken = tmp_path / "whole.db", tmp_path / "broken.db"
    options = {"protocol": "SPD2", "rounds": 5}
    game = ("sequential_prisoners_dilemma-v0", options)
    expected = play(game, ["random", "grim"], episodes=150, seed=5, path=whole).final_table()
    command = ("play", game[0], "-p", "random", "-p", "grim", "--protocol", "SPD2", "--rounds", 5)
    command = (*command, "--episodes", 150, "--seed", 5, "--out", broken)
    counts = []
    for goal in (1, 400, 900):
        process = start_braked(goal + 300 - decisions_in(broken), *command)
        while process.poll() is None and decisions_in(broken) < goal:
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        counts.append(decisions_in(broken))
        command = ("resume", broken)
    process = start(*command)
    assert process.wait() == 0
    assert counts == sorted(counts)
    assert counts[-1] < decisions_in(broken) == 1500
    with Run(broken) as run:
        assert run.final_table() == expected


def decisions_in(path):
    if not path.exists():
        return 0
    with Run(path) as run:
        return sum(run.summary().decisions.values())


class Fragile(Policy):
    """Counts what it is asked, and fails once."""

    name = "fragile"

    def __init__(self, fails_at=None):
        self.asked = 0
        self.fails_at = fails_at

    def decide(self, turn, rng):
        self.asked += 1
        if self.asked == self.fails_at:
            raise UsageError("It broke.")
        return Decision(int(rng.integers(len(turn.options))))


@pytest.mark.parametrize("concurrency", [1, 16])
def test_what_was_decided_before_a_failure_is_not_asked_again(tmp_path, concurrency):
    whole = play("ultimatum-v0", Fragile(), episodes=30, path=tmp_path / "whole.db")
    path = tmp_path / "broken.db"
    first, second = Fragile(fails_at=20), Fragile()
    with pytest.raises(UsageError, match=r"It broke\."):
        play("ultimatum-v0", first, episodes=30, path=path, concurrency=concurrency)
    with Run(path) as run:
        assert (run.manifest["status"], run.manifest["detail"]) == ("failed", "It broke.")
    run = resume(path, policies=second)
    assert run.final_table() == whole.final_table()
    assert first.asked - 1 + second.asked == len(run.decisions())


def test_a_finished_run_is_left_as_it_is(tmp_path):
    path = tmp_path / "run.db"
    table = play("trust-v0", "random", episodes=3, path=path).final_table()
    before = path.read_bytes()
    assert resume(path).final_table() == table
    assert path.read_bytes() == before


def test_what_the_file_cannot_describe_must_be_given_again(tmp_path):
    path = tmp_path / "run.db"

    def first(observation):
        return 0

    game = ("sequential_prisoners_dilemma-v0", {"roles": "fixed"})
    with pytest.raises(UsageError):
        play(game, [CallablePolicy(first), Fragile(fails_at=1)], path=path)
    with pytest.raises(
        UsageError,
        match=r"^play\.policies\[0\]: the policy 'first' was a Python object, .* go on from Python",
    ):
        resume(path)
    resume(path, policies=[CallablePolicy(first), Fragile()])


def test_the_time_of_all_lives_is_added_up(tmp_path):
    class Slow(Fragile):
        def decide(self, turn, rng):
            time.sleep(0.05)
            return super().decide(turn, rng)

    path = tmp_path / "run.db"
    with pytest.raises(UsageError):
        play("ultimatum-v0", Slow(fails_at=3), episodes=3, path=path)
    first = Run(path).summary().seconds
    assert first >= 0.1
    time.sleep(0.5)  # nobody plays meanwhile
    begun = time.monotonic()
    second = resume(path, policies=Slow()).summary().seconds
    assert second <= first + time.monotonic() - begun + 0.001
    assert second >= first + 0.05
    assert second == Run(path).manifest["seconds"]


@pytest.mark.parametrize("concurrency", [0, -1])
def test_going_on_with_no_concurrency_is_refused_and_changes_nothing(tmp_path, concurrency):
    path = tmp_path / "run.db"
    with pytest.raises(UsageError):
        play("ultimatum-v0", Fragile(fails_at=2), episodes=2, path=path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="at least 1"):
        resume(path, policies=Fragile(), concurrency=concurrency)
    assert path.read_bytes() == before


def test_other_rules_than_the_run_began_with_are_a_sentence(tmp_path):
    path = tmp_path / "run.db"
    with pytest.raises(UsageError):
        play("sequential_prisoners_dilemma-v0", Fragile(fails_at=2), path=path)
    with pytest.raises(UsageError, match="was begun with other episodes than its configuration gives now"):
        resume(path, environment="ultimatum-v0", policies=Fragile())
    rules = ("sequential_prisoners_dilemma-v0", {"method": "strategy", "roles": "fixed"})
    with pytest.raises(
        StoreError, match=r"was made at 'opening'.*resume with the version of ludens that started"
    ):
        resume(path, environment=rules, policies=Fragile())
