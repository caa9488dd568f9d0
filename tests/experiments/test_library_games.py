"""The games of the library in the experiments: asked by benchmarks, played, and in the likelihood."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.agents import make_policy
from ludens.envs import find_game, make_env, uniform_strategy
from ludens.errors import UsageError
from ludens.experiments import Run, bench, play, run_study
from ludens.experiments.bench.comparisons import compare
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.estimates.answers import as_choices, run_answers
from ludens.experiments.measures.shares import shares_by_policy
from ludens.preferences import Preferences, choice_probabilities
from ludens.preferences.estimation import find_model, fit, read_choices

PROTOCOLS = ("PD1", "HD1", "PG1", "VD2", "FP1", "DG1")


@pytest.fixture(scope="module")
def benched(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "library.db"
    return path, bench(["quantal:kappa=0.9,noise=2"], protocols=PROTOCOLS, path=path)


def test_the_library_is_benchmarked(benched):
    moralis = next(found for found in benched[1].measures if found.policy.startswith("quantal:kappa=0.9"))
    (at,) = [each for each in moralis.comparisons if each.kappa == 1 and each.beliefs == "uniform"]
    assert at.agreement.value is not None
    rates = {(each.family, each.node): each.rate.value for each in moralis.cooperation}
    assert rates["prisoners_dilemma", "choice"] > 0.5
    # In an auction no option is the cooperative one.
    assert {name for name, _ in rates} == {"prisoners_dilemma", "hawk_dove", "volunteers_dilemma"}


def test_choices_in_the_library_enter_the_likelihood_where_utility_is_linear_in_kappa(benched):
    answers = {each.policy: each for each in run_answers(Run(benched[0]))}
    names = {seen.game.name for seen in answers["quantal:kappa=0.9,noise=2"].seen}
    assert names == {"prisoners_dilemma", "hawk_dove", "public_goods", "first_price_auction", "dictator"}
    assert answers["quantal:kappa=0.9,noise=2"].left_out == 1  # the volunteer's dilemma of ten


def test_kappa_is_recovered_from_choices_between_strategies(tmp_path):
    rows = ["subject,protocol,node,choice,probability"]
    for number, protocol in enumerate(("PD1", "PD2", "HD1", "HD2", "STH1", "STH2", "PG1", "PG2", "CO1")):
        game = find_game(protocol)
        found = choice_probabilities(game, Preferences(0.2, 0.1, 0.4), uniform_strategy(game), 3.0)
        for name, share in zip(game.information_sets[0].options, found.probabilities, strict=True):
            rows.append(f"s{number},{protocol},choice,{name},{float(share)!r}")
    path = tmp_path / "choices.csv"
    path.write_text("\n".join(rows))
    found = fit(read_choices(path))
    np.testing.assert_allclose(found.values, [0.2, 0.1, 0.4, 3.0], atol=1e-3)


def test_what_is_not_linear_in_kappa_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "choices.csv"
    path.write_text("subject,protocol,node,choice\na,VD2,choice,wait\nb,VD2,choice,volunteer\n")
    with pytest.raises(UsageError, match="not linear in κ"):
        fit(read_choices(path))


@pytest.mark.parametrize("name", ["prisoners_dilemma", "public_goods", "cournot", "ultimatum_thresholds"])
def test_the_same_names_play_these_games(name, tmp_path):
    env = make_env(name)
    env.reset(seed=0)
    policies = ["homo_moralis:0.5", "quantal:kappa=0.2,noise=2", "random", "fehr_schmidt:alpha=0.5,beta=0.3"]
    seats = (policies * 4)[: len(env.possible_agents)]
    result = play(name, seats, episodes=2, seed=1, path=tmp_path / "run.db")
    assert Run(result.path).decisions()
    for policy in policies:
        assert np.isfinite(make_policy(policy, name).decide(env.unwrapped.turn("player_0"), _rng()).action)


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_games_with_mediation_are_benchmarked_and_estimated_under_names_of_their_own(tmp_path):
    path = tmp_path / "run.db"
    asked = ("PD1", "PD1 with mediation", "STH1 with mediation")
    result = bench(["quantal:kappa=0.5,noise=1"], protocols=asked, path=path)
    measures = next(found for found in result.measures if found.policy == "quantal:kappa=0.5,noise=1")
    rates = {each.family: each.rate.value for each in measures.cooperation}
    game = find_game("PD1 with mediation")
    plan = choice_probabilities(game, Preferences(kappa=0.5), uniform_strategy(game), 1.0).probabilities
    delegated = float(plan[game.information_sets[0].options.index("delegate")])
    assert rates["prisoners_dilemma_with_mediation"] == pytest.approx(delegated)
    assert {"prisoners_dilemma", "stag_hunt_with_mediation"} < set(rates)
    answers = next(each for each in run_answers(Run(path)) if each.policy == measures.policy)
    assert {seen.game.protocol for seen in answers.seen} == set(asked)


def test_kappa_is_recovered_from_choices_with_mediation(tmp_path):
    rows = ["subject,protocol,node,choice,probability"]
    # With mediation alone, one alternative per game is optimal if all do the same: κ and noise look alike.
    mediated = [f"{name} with mediation" for name in ("PD1", "PD2", "HD1", "HD2", "STH1", "STH2")]
    names = ["PG1", "PG2", "CO1", *mediated]
    for number, protocol in enumerate(names):
        game = find_game(protocol)
        found = choice_probabilities(game, Preferences(0.2, 0.1, 0.4), uniform_strategy(game), 3.0)
        for name, share in zip(game.information_sets[0].options, found.probabilities, strict=True):
            rows.append(f"s{number},{protocol},choice,{name},{float(share)!r}")
    path = tmp_path / "choices.csv"
    path.write_text("\n".join(rows))
    found = fit(read_choices(path))
    np.testing.assert_allclose(found.values, [0.2, 0.1, 0.4, 3.0], atol=1e-3)


@pytest.mark.parametrize(
    "name", ["TG1 with mediation", "XX with mediation", "OP1 with mediation", "PD1 with"]
)
def test_a_mediation_that_there_is_not_is_refused(name, tmp_path):
    with pytest.raises(UsageError, match="There is no protocol"):
        find_game(name)
    with pytest.raises(UsageError, match="There is no protocol"):
        bench(["random"], protocols=[name], path=tmp_path / "run.db")
    assert list(tmp_path.iterdir()) == []


STAGED = (
    *(
        f"{game} with {mechanism}"
        for game in ("PD1", "HD1")
        for mechanism in ("contracts", "sanctions", "cheap talk")
    ),
    "VD1 with sanctions",
)


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "stages.db"
    policies = ("quantal:alpha=0.3,beta=0.2,kappa=0.4,noise=2", "homo_moralis:0.75")
    study = BenchStudy(BenchConfig(models=policies, protocols=("PD1", "STH1", "PG1", *STAGED)))
    return study, Run(run_study(study, path).path)


def test_benchmarks_ask_the_stages_that_oracles_label(staged):
    study, _ = staged
    contracts = ("signature", "choice if all sign", "choice if all refuse")
    assert set(study.games) > {f"PD1 with contracts: {stage}" for stage in contracts}
    turn = study.turn(
        {"protocol": "PD1 with contracts: choice if all refuse", "node": "choice if all refuse"}
    )
    assert [step.option for step in turn.known] == ["refuse", "refuse"]
    asked = {(labels["protocol"], labels["node"]) for labels in study.episodes()}
    assert ("PD1 with sanctions: points after defect against cooperate", "points of player 1") in asked
    # The other player has nothing to choose there.
    assert not any(node.endswith("player 2") for _, node in asked)


def test_what_benchmarks_leave_out_is_said_where_it_is_asked_for(staged):
    said = " ".join(staged[0].foresees())
    assert "PD1 with cheap talk: messages are not asked" in said
    for name, reason in (
        ("PD1 with cheap talk: message", "no oracle prefers one"),
        ("PD1 with contracts: fine", "choice if all refuse"),
        ("PG3 with sanctions", "at most 20 players"),
        ("TG1 with contracts", "There is no protocol"),
    ):
        with pytest.raises(UsageError, match=reason):
            BenchConfig(models=("random",), protocols=(name,))


def test_oracles_agree_with_themselves_in_every_stage(staged):
    shares = shares_by_policy(staged[1].decisions())["homo_moralis:0.75"]
    compared = compare(shares, (), 0.75, "uniform", _rng())
    assert compared.agreement.value == 1
    assert compare(shares, (), 0.0, "uniform", _rng()).agreement.value < 0.8


def test_preferences_are_recovered_from_choices_in_stages(staged):
    answers = {each.policy: each for each in run_answers(staged[1])}
    chosen = answers["quantal:alpha=0.3,beta=0.2,kappa=0.4,noise=2"]
    assert chosen.left_out == 1  # among three, utility is not linear in κ where they choose
    model = find_model("moralis")
    np.testing.assert_allclose(fit(as_choices(chosen, model), model).values, [0.3, 0.2, 0.4, 2], atol=1e-3)
    assert {each.cluster.partition(":")[0] for each in chosen.seen} == {"PD1", "STH1", "PG1", *STAGED}


@pytest.mark.parametrize("mechanism", ["contracts", "sanctions", "cheap_talk"])
def test_preferences_are_recovered_from_play_in_stages(mechanism, tmp_path):
    policy = "quantal:alpha=0.3,beta=0.2,kappa=0.4,noise=2"
    options = {"mechanism": mechanism, "groups": 2, "matching": "random", "rounds": 15}
    run = play(("prisoners_dilemma", options), policy, seed=1, path=tmp_path / "run.db")
    (answers,) = run_answers(run)
    messages = 4 * 15 if mechanism == "cheap_talk" else 0
    assert (answers.left_out, answers.answers) == (messages, 4 * 2 * 15)
    nodes = set()
    for seen in answers.seen:
        # Every answer is the logit choice of these preferences in the game that it is taken to be made in.
        choice = choice_probabilities(seen.game, Preferences(0.3, 0.2, 0.4), uniform_strategy(seen.game), 2.0)
        assert seen.weight == pytest.approx(float(choice.marginals[seen.column]))
        nodes |= {node.label.split()[0] for node in seen.game.information_sets}
    others = {"contracts": {"signature"}, "sanctions": {"points"}, "cheap_talk": set()}
    assert nodes == {"choice"} | others[mechanism]
