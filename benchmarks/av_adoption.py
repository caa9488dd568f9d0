"""A population of the adoption game in numpy, compared with a plain Python loop over its people.

    python benchmarks/av_adoption.py [--people 10000] [--rounds 1000] [--loop-people 1000] [--loop-rounds 50]

Both simulate the same game: each person's κ is drawn from Beta(2, 5), one in ten may choose again in a round,
by a logit, and a fine holds in the second half. Payoffs are expected ones, or accidents are drawn. The loop
goes through people one by one, as one would write it without an array library, with the same random numbers.
It plays a smaller population, for which both must give the same paths (or the benchmark fails), and its time
is scaled by people and rounds to the full size.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from ludens.envs.av.adoption.game import AdoptionGame
from ludens.experiments.av.adoption import simulate_adoption
from ludens.experiments.av.groups import make_groups
from ludens.preferences.av.thresholds import gain_terms

REVISION, NOISE = 0.1, 0.002


def game_of(people: int, rounds: int) -> AdoptionGame:
    """Return a game with ten pedestrians per accident and, from the middle on, a fine of half the risk c."""
    law = {"fine": 0.0005, "period": rounds // 2}
    return AdoptionGame(people=people, pedestrians=10, accident=0.001, regulation=law)


def fast(game: AdoptionGame, rounds: int, realised: bool) -> tuple[float, list[float], list[float]]:
    """Simulate with ludens; return seconds, shares after each round, mean payoffs of each round."""
    start = time.perf_counter()
    paths = simulate_adoption(
        game,
        make_groups(["mixed:2,5"], game.people),
        rounds=rounds,
        revision=REVISION,
        noise=NOISE,
        realised=realised,
    )
    seconds = time.perf_counter() - start
    return seconds, paths.shares[0, 1:, 0].tolist(), paths.payoffs[0, :, 0].tolist()


def plain(game: AdoptionGame, rounds: int, realised: bool) -> tuple[float, list[float], list[float]]:
    """Simulate person by person; return the same as `fast`. Random numbers are NumPy's, as lists."""
    start = time.perf_counter()
    n, k, c = game.people, game.walkers, game.accident
    root = np.random.SeedSequence(0).spawn(1)[0]
    choosing, meeting = (np.random.default_rng(child) for child in root.spawn(2))
    kappas = choosing.beta(2.0, 5.0, size=n).tolist()
    cars = [False] * n
    shares, means = [], []
    for period in range(rounds):
        own, everyone = (float(term) for term in gain_terms(game, period=period))
        fine, _ = game.levies(period)
        drawn = choosing.random(2 * n).tolist()
        for person in range(n):
            if drawn[n + person] < REVISION:
                gain = own + kappas[person] * everyone
                cars[person] = drawn[person] < 1 / (1 + math.exp(-gain / NOISE))
        users = sum(cars)
        shares.append(users / n)
        paid = [0.0 if car else -fine for car in cars]
        if realised:
            alive = _meet(game, cars, meeting)
            paid = [money + life for money, life in zip(paid, alive, strict=True)]
        else:
            for person in range(n):
                others = (users - cars[person]) / (n - 1)
                paid[person] += 1 - c * cars[person] - k * c * (1 - others)
        means.append(sum(paid) / n)
    return time.perf_counter() - start, shares, means


def _meet(game: AdoptionGame, cars: list[bool], rng: np.random.Generator) -> list[float]:
    """Return who survives the accidents of a round: 1 for each survivor, otherwise 0."""
    n, k, groups = game.people, game.walkers, game.meetings
    drawn = rng.random(n + groups).tolist()
    order = sorted(range(n), key=drawn.__getitem__)
    alive = [1.0] * n
    for group in range(groups):
        if drawn[n + group] < game.accident * n / groups:
            passenger, *walking = order[group * (k + 1) : (group + 1) * (k + 1)]
            for person in [passenger] if cars[passenger] else walking:
                alive[person] = 0.0
    return alive


def main() -> None:
    """Check that both agree, measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--loop-people", type=int, default=1_000)
    parser.add_argument("--loop-rounds", type=int, default=50)
    given = parser.parse_args()
    scale = given.people * given.rounds / (given.loop_people * given.loop_rounds)
    sizes = f"{given.people:,} people × {given.rounds:,} rounds"
    print(f"{sizes}; the loop at {given.loop_people:,} × {given.loop_rounds:,}, times {scale:g}")
    print(f"{'payoffs':<10} {'numpy':>9} {'loop, scaled':>14} {'ratio':>8}   same paths")
    for realised in (False, True):
        small = game_of(given.loop_people, given.loop_rounds)
        _, shares, payoffs = fast(small, given.loop_rounds, realised)
        loop, loop_shares, loop_payoffs = plain(small, given.loop_rounds, realised)
        if shares != loop_shares or not np.allclose(payoffs, loop_payoffs, rtol=0, atol=1e-12):
            raise SystemExit("The loop and numpy disagree: their paths are not the same.")
        seconds, *_ = fast(game_of(given.people, given.rounds), given.rounds, realised)
        name = "realised" if realised else "expected"
        print(f"{name:<10} {seconds:>7.2f} s {loop * scale:>12.0f} s {loop * scale / seconds:>8.0f}   yes")


if __name__ == "__main__":
    main()
