"""Playing: the same seed is the same run, however much is played at once; what goes wrong is a sentence."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal

import numpy as np
import pettingzoo
import pytest

from ludens.agents.journal import current_journal
from ludens.agents.policy import Call, Decision, Policy, draw
from ludens.agents.trained.policy import CallablePolicy
from ludens.envs import make_env
from ludens.errors import LudensError, UsageError
from ludens.experiments import Run, RunAbortedError, RunInterrupted, aplay, play, resume
from ludens.experiments.runs import blocking
from ludens.experiments.runs.seeds import decision_rng, environment_seed, episode_seeds
from ludens.experiments.runs.stop import Stop

GAMES = [
    ("trust-v0", {"protocol": "TG3"}),
    ("sequential_prisoners_dilemma-v0", {"protocol": "SPD4", "rounds": 5}),
    ("ultimatum-v0", {"payoffs": [60, 50, 10, 40], "method": "strategy", "roles": "fixed"}),
]


class Waiting(Policy):
    """Draws at random after a wait of its own, so that concurrent episodes overtake each other."""

    name = "waiting"

    def decide(self, turn, rng):
        return draw([1.0] * len(turn.options), turn, rng, provenance="exact")

    async def adecide(self, turn, rng):
        await asyncio.sleep(float(np.random.default_rng(len(turn.known)).random()) / 1000)
        return self.decide(turn, rng)


class Silent(Policy):
    """Decides nothing from its n-th decision on."""

    name = "silent"

    def __init__(self, on_invalid, decides=0):
        self.on_invalid = on_invalid
        self.decides = decides

    def decide(self, turn, rng):
        if len(turn.past) < self.decides:
            return Decision(0)
        call = Call("x/y", ({"role": "user", "content": "A or B?"},), "hm", "invalid", "no answer found")
        return Decision(None, "invalid", calls=(call,), on_invalid=self.on_invalid)


@pytest.mark.parametrize("game", GAMES, ids=lambda game: game[0])
def test_serial_and_concurrent_play_are_the_same_run(tmp_path, game):
    tables = {
        play(game, Waiting(), episodes=20, seed=9, path=tmp_path / f"{n}.db", concurrency=n).final_table()
        for n in (1, 3, 16)
    }
    assert len(tables) == 1


def test_the_seed_decides(tmp_path):
    def table(name, seed):
        return play("trust-v0", Waiting(), episodes=20, seed=seed, path=tmp_path / name).final_table()

    assert table("a.db", 1) == table("b.db", 1) != table("c.db", 2)


def test_an_episode_does_not_depend_on_how_many_there_are(tmp_path):
    few = play("trust-v0", Waiting(), episodes=3, path=tmp_path / "few.db").final_table().splitlines()
    many = play("trust-v0", Waiting(), episodes=9, path=tmp_path / "many.db").final_table().splitlines()
    assert many[:3] == few


def test_seeds_are_those_that_numpy_spawns():
    for index, child in enumerate(np.random.SeedSequence(5).spawn(3)):
        assert episode_seeds(5, index).generate_state(4).tolist() == child.generate_state(4).tolist()
    seeds = episode_seeds(5, 0)
    streams = [
        decision_rng(seeds, agent, step).random() for agent in ("player_0", "player_1") for step in (0, 1)
    ]
    assert len({*streams, environment_seed(seeds) / 2**32}) == 5


def test_payoffs_are_what_pettingzoo_s_own_loop_pays(tmp_path):
    options = {"protocol": "SPD4", "rounds": 3}
    run = play(("sequential_prisoners_dilemma-v0", options), ["random", "always_defect"], episodes=10,
               path=tmp_path / "run.db")  # fmt: skip
    env = make_env("sequential_prisoners_dilemma-v0", **options)
    for record in run.episodes():
        env.reset(seed=environment_seed(episode_seeds(0, record.index)))
        moves = iter(run.decisions(record.index))
        paid = dict.fromkeys(env.possible_agents, 0.0)
        for agent in env.agent_iter():
            _, reward, terminated, truncated, _ = env.last()
            paid[agent] += reward
            env.step(None if terminated or truncated else next(moves).decision.action)
        assert record.payoffs == paid
        assert next(moves, None) is None


@pytest.mark.parametrize(
    "env",
    ["trust-v0", "ludens/trust-v0", ("trust-v0", {"protocol": "TG1"}), make_env("trust-v0")],
)
def test_an_environment_may_be_named_or_given(tmp_path, env):
    given = pickle.dumps(env) if not isinstance(env, str | tuple) else None
    run = play(env, "random", episodes=5, path=tmp_path / "a.db")
    assert run.table() == play("trust-v0", "random", episodes=5, path=tmp_path / "b.db").table()
    if given is not None:
        assert pickle.dumps(env) == given
    assert run.manifest["config"]["environment"]["id"]


@pytest.mark.parametrize("environment", ["trust-v0", "bertrand-v0", "av_adoption-v0"])
def test_an_environment_may_have_the_parallel_api(tmp_path, environment):
    options = {} if environment == "trust-v0" else {"max_cycles": 4}
    env = pettingzoo.make("parallel", f"ludens/{environment}", **options)
    run = play(env, "random", seed=3, path=tmp_path / "a.db")
    same = play((environment, options), "random", seed=3, path=tmp_path / "b.db")
    assert run.final_table() == same.final_table()
    assert env.unwrapped.agents == []  # it was copied, and never reset


@pytest.mark.parametrize("policies", ["grim", ["grim", "grim"], {"player_1": "grim", "player_0": "grim"}])
def test_policies_are_given_for_all_by_place_or_by_name(tmp_path, policies):
    (row,) = play("trust-v0", policies, path=tmp_path / "run.db").table()
    assert (row["player_0"], row["player_1"]) == ("grim", "grim")


async def test_play_works_where_an_event_loop_runs(tmp_path):
    inside = play("trust-v0", Waiting(), episodes=5, path=tmp_path / "a.db")
    awaited = await aplay("trust-v0", Waiting(), episodes=5, path=tmp_path / "b.db")
    assert inside.final_table() == awaited.final_table()


def test_progress_counts_up_to_the_end(tmp_path):
    seen = []
    run = play("trust-v0", Waiting(), episodes=6, path=tmp_path / "run.db", progress=seen.append)
    assert [each.decisions for each in seen] == sorted(each.decisions for each in seen)
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, 6, 6)
    assert seen[-1].decisions == len(run.decisions())


def test_a_dropped_episode_pays_nobody_and_the_run_goes_on(tmp_path):
    run = play(GAMES[0], [Silent("drop"), "random"], episodes=8, path=tmp_path / "run.db")
    table = run.table()
    assert {row["status"] for row in table} <= {"done", "dropped"}
    for row in (row for row in table if row["status"] == "dropped"):
        assert (row["payoff player_0"], row["payoff player_1"]) == (None, None)
        assert "silent as player_0 gave no usable decision at" in row["detail"]
        assert row["detail"].endswith("in round 1 (invalid): no answer found")
    assert run.summary().decisions["invalid"] == run.summary().episodes["dropped"]
    assert run.manifest["status"] == "done"


def test_who_forfeits_gets_the_lowest_payoff_of_its_role_and_the_others_none(tmp_path):
    game = ("trust-v0", {"protocol": "TG3", "roles": "fixed", "rounds": 3})
    run = play(game, [Silent("forfeit", decides=2), "always_cooperate"], path=tmp_path / "run.db")
    (row,) = run.table()
    assert row["status"] == "forfeited"
    assert (row["payoff player_0"], row["payoff player_1"]) == (60 + 60 + 20, None)


def test_abort_stops_the_run_keeps_everything_and_is_final(tmp_path):
    path = tmp_path / "run.db"
    with pytest.raises(RunAbortedError, match=r"run\.db stopped at episode 0, as its policy asks: silent as"):
        play(GAMES[0], Silent("abort"), episodes=8, path=path, concurrency=1)
    with Run(path) as run:
        assert run.manifest["status"] == "aborted"
        assert run.summary().episodes == {"aborted": 1, "planned": 7}
        assert len(run.decisions()) == 1
    with pytest.raises(LudensError, match="was aborted and cannot go on"):
        resume(path)


def test_a_failure_lets_decisions_under_way_finish(tmp_path):
    class Slow(Waiting):
        count = 0

        def __init__(self):
            super().__init__()
            self.gone = asyncio.Event()

        async def adecide(self, turn, rng):
            self.count += 1
            if self.count == 3:
                self.gone.set()
                raise LudensError("The model is gone.")
            await self.gone.wait()
            for _ in range(100):  # turns of the loop, in which the failure is noticed
                await asyncio.sleep(0)
            return self.decide(turn, rng)

    path = tmp_path / "run.db"
    with pytest.raises(LudensError, match="The model is gone") as caught:
        play("trust-v0", Slow(), episodes=9, path=path, concurrency=3)
    assert caught.value.__notes__ == [f"What was decided is kept: go on with `ludens resume {path}`."]
    assert len(Run(path).decisions()) == 2


def test_a_run_that_fails_before_anything_was_decided_leaves_no_file(tmp_path):
    def broken(observation):
        raise LudensError("No key.")

    with pytest.raises(LudensError, match="No key") as caught:
        play("trust-v0", CallablePolicy(broken), episodes=9, path=tmp_path / "run.db")
    assert not hasattr(caught.value, "__notes__")
    assert list(tmp_path.iterdir()) == []


def test_calls_are_kept_as_they_are_made_and_handed_back_after_a_failure(tmp_path):
    class Caller(Waiting):
        fails = True
        made = 0

        def decide(self, turn, rng):
            calls = []
            for number in range(3):
                call = current_journal().replay()
                if call is None:
                    if number == 2 and self.fails:
                        raise LudensError("Gone.")
                    Caller.made += 1
                    call = Call("x/y", ({"role": "user", "content": f"{number}"},), "A", "ok", cost=1.0)
                    current_journal().record(call)
                calls.append(call)
            return Decision(0, calls=tuple(calls))

    path = tmp_path / "run.db"
    with pytest.raises(LudensError, match="Gone"):
        play("ultimatum-v0", Caller(), path=path)
    with Run(path) as run:
        assert (run.summary().calls, run.summary().cost, run.decisions()) == (2, 2.0, [])
    Caller.fails = False
    (decision,) = resume(path, policies=Caller()).decisions()
    assert Caller.made == 3
    assert [call.messages[0]["content"] for call in decision.decision.calls] == ["0", "1", "2"]


@pytest.mark.parametrize("notebook", [False, True])
def test_ctrl_c_names_the_way_to_go_on(tmp_path, notebook, monkeypatch, capfd):
    stops = []
    monkeypatch.setattr(blocking, "Stop", lambda: stops.append(Stop()) or stops[-1])

    class Stuck(Waiting):
        async def adecide(self, turn, rng):
            if turn.known:
                os.kill(os.getpid(), signal.SIGINT)
                while not stops[-1].requested:  # noqa: ASYNC110  # a signal's handler sets it
                    await asyncio.sleep(0.001)
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.Event().wait()
            return Decision(0)

    path = tmp_path / "run.db"

    def interrupted():
        with pytest.raises(RunInterrupted, match=r"Interrupted: go on with `ludens resume .*run\.db`"):
            play("trust-v0", Stuck(), path=path)

    async def cell():
        interrupted()

    if notebook:
        # A notebook leaves Ctrl-C to Python while a cell runs, as asyncio.run does not.
        loop = asyncio.new_event_loop()
        loop.run_until_complete(cell())
        loop.close()
    else:
        interrupted()
    assert "Waiting for the 1 call under way: press Ctrl-C again to leave at once." in capfd.readouterr().err
    with Run(path) as run:
        assert run.manifest["status"] == "interrupted"
        assert len(run.decisions()) == 1
    assert resume(path, policies=Waiting()).manifest["status"] == "done"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env": "chess-v0"}, "There is no environment 'chess-v0'; there are ludens/"),
        ({"env": 7}, "An environment is an id, .* got int"),
        ({"env": ("trust-v0", {"protocol": "SPD1"})}, "has no protocol 'SPD1'; it has TG1"),
        ({"policies": "nosuch"}, "no policy 'nosuch'"),
        ({"policies": ["grim"]}, r"has 2 seats \(player_0, player_1\); 1 policies were given"),
        (
            {"policies": {"player_0": "grim"}},
            "has the seats player_0, player_1; policies were given for player_0",
        ),
        ({"episodes": 0}, "number of episodes is a whole number of at least 1; got 0"),
        ({"seed": -1}, "seed is a whole number of at least 0; got -1"),
        ({"concurrency": 0}, "concurrency is a whole number of at least 1; got 0"),
    ],
)
def test_wrong_use_is_a_sentence_and_writes_nothing(tmp_path, arguments, message):
    with pytest.raises(UsageError, match=message):
        play(**{"env": "trust-v0", "policies": "random", "path": tmp_path / "run.db"} | arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_environment_without_turns_is_a_sentence(tmp_path):
    rps = pytest.importorskip("pettingzoo.classic.rps.rps")
    with pytest.raises(UsageError, match=r"has no turn\(agent\)"):
        play(rps.env(), "random", path=tmp_path / "run.db")


def test_an_action_that_is_not_legal_stops_the_run_with_a_sentence(tmp_path):
    def wrong(observation):
        return 5

    with pytest.raises(UsageError, match="wrong returned 5 at"):
        play("trust-v0", CallablePolicy(wrong), path=tmp_path / "run.db")


class Answers(Policy):
    """Answers the same at every turn."""

    name = "mine"

    def __init__(self, answer):
        self.answer = answer

    def decide(self, turn, rng):
        return self.answer() if callable(self.answer) else self.answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (3, "The policy 'mine' returned 3 at 'opening'; return a ludens.agents.Decision"),
        (Decision(7), r"'mine' returned the action 7 at 'opening'; legal are \[0, 1\]"),
        (Decision(-1), "the action -1 at 'opening'"),
        (Decision(1.0), "the action 1.0 at 'opening'"),
        (Decision(0, probabilities=(0.2, 0.3, 0.5)), "3 probabilities at .*; return one for each of its 2"),
        (lambda: Decision(True), "must be a finite number; got True"),
        (lambda: Decision("0"), "must be a finite number; got '0'"),
    ],
)
def test_an_answer_that_does_not_fit_the_turn_is_refused_before_it_is_stored(tmp_path, answer, message):
    with pytest.raises(UsageError, match=message) as caught:
        play("trust-v0", Answers(answer), path=tmp_path / "run.db")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_price_outside_the_interval_is_refused_before_it_is_stored(tmp_path):
    market = ("bertrand-v0", {"actions": "continuous", "bounds": (0.5, 4.5)})
    with pytest.raises(UsageError, match=r"'mine' returned the action 5\.0 at .*a number from 0\.5 to 4\.5"):
        play(market, Answers(Decision(5.0)), path=tmp_path / "run.db")
    assert list(tmp_path.iterdir()) == []


def test_numpy_s_numbers_are_stored_as_numbers(tmp_path):
    with play("trust-v0", Answers(Decision(np.int64(1))), path=tmp_path / "run.db") as run:
        actions = [record.decision.action for record in run.decisions()]
    assert {type(action) for action in actions} == {int}
    assert type(Decision(np.float32(1.5)).action) is float
