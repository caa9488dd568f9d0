"""One seat against policies is the environment itself with the others' moves filled in."""

from __future__ import annotations

import warnings

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

from ludens.agents import Decision, NoDecisionError, Policy, against, make_policy
from ludens.envs import environments, make_env
from ludens.errors import UsageError

ID = "ludens.agents:ludens/Against-v0"
OPPONENT = {"bertrand": "matching", "bertrand_sequential": "nash"}
OPTIONS = {"av_dilemma": {"study": 4}}
MASKED = {"gift_exchange", "ultimatum_offers"}
"""Environments that offer a different number of options in different turns."""


def short(environment):
    return environment.removeprefix("ludens/").removesuffix("-v0")


def episode(env, seed, rng):
    """What a seat observes and is paid from a seed with legal actions drawn from `rng`."""
    observation, info = env.reset(seed=seed)
    seen, over = [(observation, info)], False
    while not over:
        action = env.action_space.sample(info["action_mask"]) if rng is None else legal(info, rng)
        observation, reward, terminated, truncated, info = env.step(action)
        seen.append((action, observation, reward, terminated, truncated, info))
        over = terminated or truncated
    return seen


def legal(info, rng):
    return int(rng.choice(np.flatnonzero(info["action_mask"])))


@pytest.mark.parametrize("form", ["box", "dict", "rllib"])
@pytest.mark.parametrize("environment", environments())
def test_gymnasium_checks_it(environment, form):
    name = short(environment)
    made = gymnasium.make(
        ID,
        env=environment,
        policies=OPPONENT.get(name, "random"),
        observation=form,
        **OPTIONS.get(name, {}),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = made.unwrapped
        if name in MASKED:  # the checker draws actions without regard to their mask; the first is legal
            env.action_space.sample = lambda: np.int64(0)
        check_env(env)


@pytest.mark.parametrize("environment", environments())
def test_the_same_seed_gives_the_same_episode(environment):
    opponent = OPPONENT.get(short(environment), "random")
    one, other = (against(environment, opponent) for _ in range(2))
    for seed in (0, 1):
        expected = episode(one, seed, np.random.default_rng(seed))
        assert data_equivalence(expected, episode(other, seed, np.random.default_rng(seed)))
    # Without a seed the streams go on, from wherever they are.
    later = [episode(env, None, np.random.default_rng(2)) for env in (one, other)]
    assert data_equivalence(later[0], later[1])


@pytest.mark.parametrize(
    ("environment", "opponent", "options"),
    [
        ("trust", "homo_moralis:0.7", {"rounds": 4}),
        ("trust", "tit_for_tat", {"rounds": 4, "method": "strategy"}),
        ("sequential_prisoners_dilemma", "random", {"rounds": 6, "roles": "fixed"}),
        ("bertrand", "matching", {"periods": 12, "firms": 3}),
        ("bertrand_sequential", "random", {"periods": 12}),
        ("av_adoption", "random", {"rounds": 3, "payoffs": "realised"}),
    ],
)
def test_it_is_the_environment_with_the_others_moves_filled_in(environment, opponent, options):
    seed = 5
    env = against(environment, opponent, **options)
    played = episode(env, seed, np.random.default_rng(seed))
    # The same with PettingZoo's own loop: each of the other seats has its stream of the seed.
    plain = make_env(environment, observation="box", **options)
    plain.reset(seed=seed)
    others = [agent for agent in plain.possible_agents if agent != env.seat]
    streams = dict(zip(others, np.random.SeedSequence(seed).spawn(len(others)), strict=True))
    rngs = {agent: np.random.default_rng(stream) for agent, stream in streams.items()}
    policy, actions = make_policy(opponent, plain), iter([step[0] for step in played[1:]])
    seen, paid = [], 0.0
    for agent in plain.agent_iter():
        observation, reward, terminated, truncated, info = plain.last()
        over = terminated or truncated
        if agent != env.seat:
            plain.step(None if over else policy.act(plain, rngs[agent]))
            continue
        seen.append((observation, info))
        paid += reward
        plain.step(None if over else next(actions))
    observed = [(step[-5] if len(step) > 2 else step[0], step[-1]) for step in played]
    assert data_equivalence(observed, seen)
    assert sum(step[2] for step in played[1:]) == pytest.approx(paid)


def test_an_episode_without_a_move_of_ones_own_takes_one_step_that_pays():
    env = against("trust", "always_defect", "player_1", roles="fixed", protocol="TG1")
    observation, info = env.reset(seed=0)
    assert observation in env.observation_space
    assert info["action_mask"].all()
    _, reward, terminated, truncated, _ = env.step(1)
    assert (reward, terminated, truncated) == (30.0, True, False)
    with pytest.raises(UsageError, match=r"reset\(\)"):
        env.step(0)


def test_what_is_paid_before_the_first_move_is_not_lost():
    env = against("trust", "always_defect", "player_1", rounds=20, protocol="TG1")
    for seed in range(5):
        played = episode(env, seed, np.random.default_rng(0))
        past = env.env._progress.past
        owed = sum(finished["player_1"].payoffs[finished["player_1"].role] for finished in past)
        assert sum(step[2] for step in played[1:]) == owed


def test_the_mask_is_that_of_sb3_contrib():
    env = against("av_dilemma", "random", study=1)
    with pytest.raises(UsageError, match="mask"):
        env.action_masks()
    for _ in range(5):
        _, info = env.reset()
        assert env.action_masks().dtype == np.bool_
        assert env.action_masks().tolist() == (info["action_mask"] == 1).tolist()
    prices = against("bertrand", "nash", actions="continuous")
    prices.reset(seed=0)
    with pytest.raises(UsageError, match="mask"):
        prices.action_masks()


@pytest.mark.parametrize("environment", environments())
def test_an_illegal_action_changes_nothing(environment):
    opponent = OPPONENT.get(short(environment), "random")
    options = {"roles": "fixed"} if hasattr(make_env(environment).unwrapped, "roles") else {}
    env, other = (against(environment, opponent, **options) for _ in range(2))
    for each in (env, other):
        each.reset(seed=3)
    for wrong in (None, -1, "0", 10**6, 0.5):
        with pytest.raises(UsageError, match="not a legal"):
            env.step(wrong)
    assert data_equivalence(env.step(0), other.step(0))


def test_firms_that_enter_and_leave():
    events = [{"kind": "Entrant", "period": 4, "firm": 2}, {"kind": "Exit", "period": 6, "firm": 0}]
    entrant = against("bertrand", "nash", "firm_2", firms=3, periods=8, interventions=events)
    assert len(episode(entrant, 0, np.random.default_rng(0))) - 1 == 5
    leaver = against("bertrand", "nash", "firm_0", firms=3, periods=8, interventions=events)
    played = episode(leaver, 0, np.random.default_rng(0))
    assert len(played) - 1 == 5
    assert played[-1][3] is True
    late = [{"kind": "Entrant", "period": 31, "firm": 2}]
    with pytest.raises(UsageError, match="firm_2 never moves"):
        against("bertrand", "nash", "firm_2", firms=3, periods=8, interventions=late).reset(seed=0)


@pytest.mark.parametrize("api", ["aec", "parallel"])
@pytest.mark.parametrize("environment", ["ludens/trust-v0", "ludens/bertrand-v0"])
def test_an_environment_that_is_made_already(environment, api):
    opponent = OPPONENT.get(short(environment), "random")
    made = pettingzoo.make(api, environment, observation="box")
    one = episode(against(made, opponent), 4, np.random.default_rng(0))
    assert data_equivalence(one, episode(against(environment, opponent), 4, np.random.default_rng(0)))


class Talker(Policy):
    """It writes down how many turns it had, and says so."""

    name = "talker"

    def decide(self, turn, rng):
        before = int(turn.facts.get("notes", {}).get("count", 0))
        return Decision(0, notes={"count": str(before + 1), "message": f"turn {before + 1}"})


def test_notes_come_back_and_messages_are_sent():
    env = against("bertrand", Talker(), periods=3, interventions=[{"kind": "CheapTalk"}])
    env.reset(seed=0)
    heard = []
    for _ in range(3):
        heard.append(env.env.turn("firm_0").facts["messages"])
        env.step(0)
    assert heard == [(), (("firm_1", "turn 1"),), (("firm_1", "turn 2"),)]


class Silent(Policy):
    name = "silent"

    def decide(self, turn, rng):
        return Decision(None, status="refused")


def test_a_policy_that_does_not_decide_is_no_move():
    env = against("trust", Silent(), "player_1", roles="fixed")
    with pytest.raises(NoDecisionError, match="silent gave no usable decision at 'opening'"):
        env.reset(seed=0)


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        (("chess", "random"), {}, "no environment 'chess'"),
        ((object(), "random"), {}, "not an environment"),
        (("trust", "nobody"), {}, "no policy 'nobody'"),
        (("trust", "random", "player_7"), {}, "no seat 'player_7'"),
        (("trust", ["random", "random"]), {}, "1 other seats"),
        (("trust", {"player_0": "random"}), {}, "'player_0' is not one"),
        (("av_adoption", {"owner_1": "random"}), {}, "owner_2 has no policy"),
        (("trust", "random"), {"round": 3}, "no option 'round'"),
        ((make_env("trust"), "random"), {"rounds": 3}, "made already"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, options, said):
    with pytest.raises(UsageError, match=said):
        against(*arguments, **options)


def test_each_seat_may_have_a_policy_of_its_own():
    env = against("bertrand", ["nash", {"spec": "fixed:1.7"}], "firm_1", firms=3)
    assert [policy.name for policy in env.policies.values()] == ["nash", "fixed:1.7"]
    assert list(env.policies) == ["firm_0", "firm_2"]
    env = against("bertrand", {"firm_2": "nash", "firm_0": "monopoly"}, "firm_1", firms=3)
    assert env.policies["firm_2"].name == "nash"
