"""Edgeworth cycles: what is one, and what must not be called one."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.experiments.pricing.edgeworth import edgeworth_cycles

LEAST = 0.05
SAWTOOTH = [1.9, 1.8, 1.7, 1.6, 1.5]


def test_a_sawtooth_is_counted_period_by_period():
    found = edgeworth_cycles(SAWTOOTH * 10, LEAST)
    # The first trough is in period 4; the last one, in period 49, is not followed by a rise.
    assert len(found.cycles) == 8
    assert [(each.start, each.end) for each in found.cycles[:2]] == [(4, 9), (9, 14)]
    assert {(each.rise, each.fall) for each in found.cycles} == {(1, 4)}
    assert found.length == 5
    assert found.amplitude == pytest.approx(0.4)
    assert found.share == pytest.approx(40 / 50)
    assert found.median_change == pytest.approx(-0.1)
    assert found.cycling


def test_ripples_and_steps_do_not_hide_a_cycle():
    rng = np.random.default_rng(0)
    for _ in range(50):
        noisy = np.array(SAWTOOTH * 10) + rng.uniform(-0.02, 0.02, 50)
        assert edgeworth_cycles(noisy, LEAST).cycling
    # Firms that move in turns leave each price for two periods.
    stepped = edgeworth_cycles(np.repeat(SAWTOOTH, 2).tolist() * 6, LEAST)
    assert stepped.cycling
    assert stepped.length == 10
    # A jump that needs two periods, as the second firm follows the first.
    assert edgeworth_cycles([1.7, 1.9, 1.85, 1.8, 1.75, 1.7, 1.65, 1.6, 1.55, 1.5] * 6, LEAST).cycling


@pytest.mark.parametrize(
    "series",
    [
        [1.5, 1.9] * 30,
        [1.9, 1.9, 1.5, 1.5] * 15,
        np.linspace(1.9, 1.5, 60),
        np.linspace(1.5, 1.9, 60),
        1.5 + 0.4 * 0.9 ** np.arange(60),
        1.7 + 0.2 * np.sin(np.arange(60) / 2),
        [1.5, 1.6, 1.7, 1.8, 1.9] * 12,
        [1.5, 1.6, 1.7, 1.8, 1.9, 1.8, 1.7, 1.6] * 8,
        [1.9, 1.9, 1.5, 1.5, 1.5, 1.5, 1.5] * 9,
        [1.9, 1.6, 1.5] * 2,
        [1.51, 1.505, 1.5] * 20,
        [1.7] * 60,
        [1.7],
        [],
    ],
    ids=[
        "alternation",
        "alternation of blocks",
        "fall",
        "rise",
        "convergence",
        "wave",
        "slow rises and crashes",
        "symmetric",
        "punishments",
        "two cycles",
        "too small",
        "constant",
        "one period",
        "nothing",
    ],
)
def test_what_is_no_edgeworth_cycle(series):
    assert not edgeworth_cycles(series, LEAST).cycling


@pytest.mark.parametrize("periods", [30, 100, 300])
def test_noise_and_random_walks_are_no_cycles(periods):
    rng = np.random.default_rng(periods)
    noise = rng.normal(1.7, 0.1, (400, periods))
    walks = 1.7 + rng.normal(0, 0.05, (400, periods)).cumsum(axis=1)
    rate = np.mean([edgeworth_cycles(each, LEAST).cycling for each in noise])
    assert rate <= 0.02
    assert np.mean([edgeworth_cycles(each, LEAST).cycling for each in walks]) <= 0.02


def test_a_price_war_that_ends_before_half_of_the_periods_does_not_make_the_run_cycle():
    series = [*SAWTOOTH * 5, *[1.5] * 40]
    found = edgeworth_cycles(series, LEAST)
    assert len(found.cycles) == 3
    assert not found.cycling
    assert edgeworth_cycles(series[:40], LEAST).share == pytest.approx(15 / 40)
