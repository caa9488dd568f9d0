"""Replicator, logit and finite-population dynamics: known answers, and simulations that agree with them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from ludens.errors import UsageError
from ludens.experiments.populations.dynamics import assorted, logit_rest_point, shares_over_time
from ludens.experiments.populations.finite import (
    fixation_log_probability,
    residents_over_time,
    simulate,
)

HAWK_DOVE = [[-1, 4], [0, 2]]
ROCK = [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]


def test_the_replicator_rests_at_the_mixed_equilibrium_of_hawks_and_doves():
    path = shares_over_time("replicator", HAWK_DOVE, [0.1, 0.9], [0, 100])
    assert path[0] == pytest.approx([0.1, 0.9])
    assert path[-1] == pytest.approx([2 / 3, 1 / 3], abs=1e-6)


def test_assortative_hawks_and_doves_rest_at_the_weight_of_homo_hamiltonensis():
    # x = ((1−σ)/(1+σ))·v/c is that of the play of one type; of pure types it solves B₁x = B₂x.
    sigma, table = 0.2, assorted(HAWK_DOVE, 0.2)
    rest = shares_over_time("replicator", HAWK_DOVE, [0.5, 0.5], [0, 200], assortativity=sigma)[-1]
    assert table[0] @ rest == pytest.approx(table[1] @ rest)
    assert shares_over_time("replicator", HAWK_DOVE, [0.5, 0.5], [200], assortativity=1.0)[-1] == (
        pytest.approx([0, 1], abs=1e-9)
    )


def test_a_dominated_type_dies_out_and_bistable_ones_keep_their_basins():
    assert shares_over_time("replicator", [[3, 1], [4, 2]], [0.99, 0.01], [0, 60])[-1][1] > 0.999
    stag = [[4, 0], [3, 2]]  # the boundary is at 2/3
    assert shares_over_time("replicator", stag, [0.68, 0.32], [0, 200])[-1][0] > 0.999
    assert shares_over_time("replicator", stag, [0.65, 0.35], [0, 200])[-1][0] < 0.001


def test_the_orbits_of_rock_paper_scissors_keep_the_product_of_shares():
    path = shares_over_time("replicator", ROCK, [0.5, 0.3, 0.2], np.linspace(0, 30, 31))
    assert path.prod(axis=1) == pytest.approx(np.full(31, 0.03), rel=1e-5)


@pytest.mark.parametrize("noise", [0.2, 1.0, 5.0])
def test_logit_dynamics_rest_at_the_quantal_response_equilibrium(noise):
    from scipy.optimize import brentq

    def gap(x):  # P(hawk) − logit reply to x, in one unknown
        difference = (-1 * x + 4 * (1 - x)) - 2 * (1 - x)
        return x - 1 / (1 + math.exp(-difference / noise))

    quantal = brentq(gap, 0, 1)
    assert logit_rest_point(HAWK_DOVE, noise)[0] == pytest.approx(quantal, abs=1e-9)
    assert shares_over_time("logit", HAWK_DOVE, [0.9, 0.1], [60], noise=noise)[-1][0] == pytest.approx(
        quantal, abs=1e-6
    )


@pytest.mark.parametrize("advantage", [0.05, -0.05, 0.7])
def test_fixation_of_a_constant_advantage_is_morans_formula(advantage):
    n, r = 30, math.exp(advantage)
    table = [[0, 0], [advantage, advantage]]
    # Nobody meets themselves, which changes nothing where payoffs do not depend on the other.
    assert fixation_log_probability(table, n, 1.0) == pytest.approx(
        math.log((1 - 1 / r) / (1 - r**-n)), abs=1e-9
    )


def test_a_neutral_mutant_takes_over_with_probability_one_in_n():
    assert math.exp(fixation_log_probability([[1, 2], [3, 4]], 17, 0.0)) == pytest.approx(1 / 17)
    assert math.exp(fixation_log_probability([[1, 1], [1, 1]], 17, 2.0)) == pytest.approx(1 / 17)


@pytest.mark.parametrize("process", ["moran", "pairwise"])
@pytest.mark.parametrize("types", [2, 3])
def test_simulated_fixation_agrees_with_the_closed_form(process, types):
    table, n, runs = np.array([[1.0, 1.2], [1.5, 1.0]]), 8, 1500
    exact = math.exp(fixation_log_probability(table, n, 1.0))
    start, rng, fixed = np.array([n - 1, 1] + [0] * (types - 2)), np.random.default_rng(5), 0
    if types == 3:  # a type that nobody belongs to sends the same game through the general loop
        table = np.pad(table, (0, 1))
    for _ in range(runs):
        _, counts = simulate(process, table, start, 400, selection=1.0, rng=rng, records=1)
        assert counts[-1].sum() == n
        fixed += counts[-1][1] == n
    assert fixed / runs == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / runs))


@pytest.mark.parametrize("process", ["moran", "pairwise", "wright_fisher"])
@pytest.mark.parametrize("types", [2, 3])
def test_mutation_alone_makes_all_types_equally_frequent(process, types):
    rng, start = np.random.default_rng(2), np.array([200] + [0] * (types - 1))
    _, counts = simulate(
        process, np.zeros((types, types)), start, 4000, selection=1.0, mutation=0.2, rng=rng, records=2000
    )
    assert counts[200:].mean(axis=0) / 200 == pytest.approx(np.full(types, 1 / types), abs=0.03)


@pytest.mark.parametrize("process", ["moran", "pairwise", "wright_fisher"])
def test_large_populations_follow_the_replicator(process):
    speed = 0.5 if process == "pairwise" else 1.0  # w/2 for weak selection
    times, counts = simulate(
        process, HAWK_DOVE, np.array([20_000, 180_000]), 200, selection=0.02, rng=np.random.default_rng(1)
    )
    path = shares_over_time("replicator", 0.02 * speed * np.array(HAWK_DOVE), [0.1, 0.9], times)
    assert counts / 200_000 == pytest.approx(path, abs=0.02)


def test_a_large_population_is_quick_and_keeps_the_times_asked_for():
    times, counts = simulate(
        "wright_fisher", ROCK, np.array([40_000, 30_000, 30_000]), 10_000, selection=0.01,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert (len(times), times[0], times[-1]) == (201, 0, 10_000)
    assert np.all(counts.sum(axis=1) == 100_000)


def test_the_same_seed_gives_the_same_population():
    one, other = (
        simulate("moran", ROCK, np.array([30, 30, 40]), 50, selection=1, rng=np.random.default_rng(3))[1]
        for _ in range(2)
    )
    assert np.array_equal(one, other)


def test_rare_mutations_balance_the_probabilities_of_taking_over():
    two = residents_over_time(np.log([[1, 0.3], [0.1, 1]]))
    assert two == pytest.approx([0.25, 0.75])
    rates = np.array([[0, 0.2, 0.1], [0.05, 0, 0.3], [0.4, 0.1, 0]])
    shares = residents_over_time(np.log(rates, where=rates > 0, out=np.zeros((3, 3))))
    assert shares @ rates == pytest.approx(shares * rates.sum(axis=1))  # as much leaves as arrives
    tiny = residents_over_time([[0, -5000], [-5001, 0]])
    assert tiny == pytest.approx([1 / (1 + math.e), math.e / (1 + math.e)])


def test_selection_of_any_strength_stays_finite():
    log = fixation_log_probability([[1, 0], [0, -1]], 1000, 1e5)
    assert log < -1e6
    assert math.isfinite(log)
    _, counts = simulate(
        "moran", [[1, 0, 0], [0, -1, 0], [0, 0, -1]], np.array([10, 500, 490]), 30, selection=1e5,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert counts[-1][0] == 1000
    assert all(before[0] <= after[0] for before, after in pairwise(counts))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: shares_over_time("replicator", ROCK, [0.5, 0.5], [1]), "3 types a share"),
        (lambda: shares_over_time("replicator", ROCK, [0.5, 0.6, 0.2], [1]), "together they are 1"),
        (lambda: shares_over_time("logit", ROCK, [1, 0, 0], [1], noise=0), "noise"),
        (lambda: shares_over_time("replicator", ROCK, [1, 0, 0], [2, 1]), "ascending"),
        (lambda: assorted(ROCK, 2), "assortativity"),
        (lambda: fixation_log_probability(ROCK, 10, 1), "two types"),
        (lambda: fixation_log_probability(HAWK_DOVE, 1, 1), "two members"),
        (lambda: fixation_log_probability(HAWK_DOVE, 10, -1), "intensity"),
        (lambda: simulate("moran", ROCK, [5, 5], 1, selection=1, rng=np.random.default_rng(0)), "3 types"),
        (lambda: simulate("x", HAWK_DOVE, [5, 5], 1, selection=1, rng=np.random.default_rng(0)), "process"),
        (lambda: residents_over_time([[0.0]]), "at least two"),
    ],
)
def test_wrong_arguments_are_refused(wrong, words):
    with pytest.raises(UsageError, match=words):
        wrong()
