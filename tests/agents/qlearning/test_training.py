"""Training many sessions: seeds, workers, interruptions, limits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ludens.agents.qlearning import QLearning, TableTooLargeError, learning_tables, train, training
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import price_grid
from ludens.errors import LudensError, UsageError

QUICK = QLearning(points=5, beta=1e-4, window=2000)
# Eight million periods, whatever is learnt: long enough to be interrupted in.
LONG = QLearning(window=10**9, max_periods=8_000_000)
ROOT = Path(__file__).parents[3]

KILLED = """
import pathlib, sys, time
from ludens.agents.qlearning import QLearning, train, training
training.PIECE = 1 << 18
long = QLearning(window=10**9, max_periods=8_000_000)
file = pathlib.Path(sys.argv[1])

def wait_to_be_killed(done, of):  # before the last session is done, however late the killer is
    while done and file.exists():
        time.sleep(1)

train(parameters=long, sessions=3, seed=5, workers=1, checkpoint=file, every=0.02, progress=wait_to_be_killed)
"""


def same(one, other):
    for name in ("strategies", "states", "periods", "converged"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.q is None) == (other.q is None)
    if one.q is not None:
        np.testing.assert_array_equal(one.q, other.q)


def test_the_same_seed_gives_the_same_sessions_on_any_number_of_workers():
    alone = train(parameters=QUICK, sessions=6, seed=3, workers=1, keep_tables=True)
    same(alone, train(parameters=QUICK, sessions=6, seed=3, workers=4, keep_tables=True))


def test_a_session_does_not_depend_on_how_many_there_are():
    few, many = (train(parameters=QUICK, sessions=count, seed=3) for count in (2, 5))
    np.testing.assert_array_equal(few.strategies, many.strategies[:2])


def test_sessions_and_seeds_differ():
    found = train(parameters=QUICK, sessions=4, seed=3)
    assert len({strategy.tobytes() for strategy in found.strategies}) == 4
    other = train(parameters=QUICK, sessions=4, seed=4)
    assert not np.array_equal(found.periods, other.periods)


def test_limit_strategies_are_what_the_kept_tables_say():
    found = train(parameters=QUICK, sessions=3, keep_tables=True)
    kept = np.take_along_axis(found.q, found.strategies[..., None].astype(int), axis=-1)[..., 0]
    np.testing.assert_array_equal(kept, found.q.max(axis=-1))


def test_an_interrupted_training_goes_on_as_if_nothing_had_happened(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "PIECE", 1 << 18)
    whole = train(parameters=LONG, sessions=3, seed=5, workers=1, keep_tables=True)
    file = tmp_path / "training.npz"
    settings = {"parameters": LONG, "sessions": 3, "seed": 5, "keep_tables": True, "checkpoint": file}

    for wanted in (0, 1):

        def interrupt(done, of, wanted=wanted):
            if done == wanted:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(**settings, workers=1, every=0.01, progress=interrupt)
    with np.load(file) as stored:
        assert 1 <= stored["done"].sum() < 3
        assert len(stored["running"]) == 1
    same(whole, train(**settings, workers=2))
    # Now it is finished: it is read, and nothing is played.
    monkeypatch.setattr(training, "start_session", None)
    same(whole, train(**settings))


def test_a_killed_training_goes_on_as_if_nothing_had_happened(tmp_path):
    file = tmp_path / "training.npz"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(file)], env=environment)
    try:
        while not file.exists() and process.poll() is None:
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    with np.load(file) as stored:
        assert not stored["done"].all()
    resumed = train(parameters=LONG, sessions=3, seed=5, checkpoint=file)
    same(resumed, train(parameters=LONG, sessions=3, seed=5))


def test_a_checkpoint_of_another_training_is_refused_and_left_alone(tmp_path):
    file = tmp_path / "training.npz"
    train(parameters=QUICK, sessions=2, checkpoint=file)
    before = file.read_bytes()
    for change in (
        {"seed": 1},
        {"sessions": 3},
        {"outside": (-0.1, 0.1)},
        {"market": Market.symmetric(mu=0.3)},
    ):
        with pytest.raises(UsageError, match="belongs to another training"):
            train(**({"parameters": QUICK, "sessions": 2, "checkpoint": file} | change))
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["training.npz"]


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, content):
    file = tmp_path / "training.npz"
    train(parameters=QUICK, sessions=2, checkpoint=file)
    file.write_bytes(file.read_bytes()[:-300] if content is None else content)
    with pytest.raises(LudensError, match=r"cannot be read .*delete it"):
        train(parameters=QUICK, sessions=2, checkpoint=file)


def test_a_failing_progress_ends_the_training_with_its_own_error():
    def fail(done, of):
        raise RuntimeError("the screen is gone")

    with pytest.raises(RuntimeError, match="the screen is gone"):
        train(parameters=QUICK, sessions=50, workers=2, progress=fail)


def test_tables_that_do_not_fit_are_refused_with_their_size():
    four = QLearning(memory=2)
    with pytest.raises(TableTooLargeError, match=r"15\^\(4·2\) = 2,562,890,625 states need \S+ bytes"):
        train(Market.symmetric(4), four, 10)
    size = QLearning().table_bytes(2) + 225 * 2 * 8
    learning_tables(Market.symmetric(), QLearning(), memory_limit=size)
    with pytest.raises(TableTooLargeError, match=f"need {size:,} bytes"):
        learning_tables(Market.symmetric(), QLearning(), memory_limit=size - 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", "much"), ("discount", None),
        ("alpha", 0.0), ("alpha", 1.1), ("alpha", float("nan")), ("beta", -1.0), ("discount", 1.0),
        ("memory", -1), ("memory", 0.5), ("points", 1), ("extension", -0.1), ("initial", "one"),
        ("initial", float("inf")), ("ties", "first"), ("window", 0), ("max_periods", 0),
        ("exploration", "greedy"), ("temperature", 0.0), ("updating", "both"),
    ],
)  # fmt: skip
def test_a_parameter_out_of_its_range_is_named(name, value):
    with pytest.raises(UsageError, match=name):
        QLearning(**{name: value})
    with pytest.raises(UsageError, match="at most 65536 points"):
        QLearning(points=10**6)


@pytest.mark.parametrize(
    "wrong", [{"sessions": 0}, {"sessions": 2.5}, {"seed": -1}, {"workers": 0}, {"outside": (0, np.inf)}]
)
def test_an_argument_out_of_its_range_is_named(wrong):
    with pytest.raises(UsageError):
        train(parameters=QUICK, **({"sessions": 1} | wrong))


def test_what_cannot_be_learnt_on_is_refused(tmp_path):
    with pytest.raises(UsageError, match="prices one product"):
        train(Market([2, 2, 2], [1, 1, 1], owners=[0, 0, 1]), QUICK, 1)
    with pytest.raises(UsageError, match="initial values must broadcast"):
        train(parameters=QLearning(initial=np.zeros((3, 7))), sessions=1)
    with pytest.raises(UsageError, match="no folder"):
        train(parameters=QUICK, sessions=1, checkpoint=tmp_path / "nowhere" / "file.npz")


def test_random_demand_has_the_grid_and_benchmarks_of_the_published_runs():
    made = learning_tables(Market.symmetric(), QLearning(), (-0.25, 0.0, 0.25))
    # Nash and joint-profit prices of the three values, as the authors' input has them.
    low, high = 1.44331, 2.11343
    np.testing.assert_allclose(
        made.grid[0, [0, -1]], [low - 0.1 * (high - low), high + 0.1 * (high - low)], atol=2e-5
    )
    nash, joint = made.benchmarks()
    market = made.market
    prices = {-0.25: (1.48865, 2.11343), 0.0: (1.47293, 1.92498), 0.25: (1.44331, 1.75)}
    for place, benchmark in enumerate((nash, joint)):
        each = [market.profits([pair[place]] * 2, outside=value) for value, pair in prices.items()]
        np.testing.assert_allclose(benchmark, np.mean(each, axis=0), atol=1e-5)
    np.testing.assert_allclose(made.expected, made.profits.mean(axis=0))


def test_numbers_of_numpy_are_numbers(tmp_path):
    settings = {
        "alpha": np.float32(0.5),
        "memory": np.int64(1),
        "points": np.int8(4),
        "window": np.int64(500),
    }
    found = train(
        parameters=QLearning(**settings, beta=np.float64(1e-3)),
        sessions=np.int64(2),
        seed=np.uint8(3),
        outside=np.array([-0.1, 0.1]),
        workers=np.int64(1),
        checkpoint=tmp_path / "training.npz",
    )
    plain = QLearning(alpha=0.5, memory=1, points=4, window=500, beta=1e-3)
    same(found, train(parameters=plain, sessions=2, seed=3, outside=(-0.1, 0.1)))


def test_firms_that_differ_have_grids_of_their_own():
    market = Market([2.0, 2.0], [1.0, 0.5])
    np.testing.assert_allclose(learning_tables(market, QLearning()).grid, price_grid(market, 15, 0.1))


def test_parameters_are_equal_by_value():
    assert QLearning(initial=[1.0, 2.0] * 2, points=4) == QLearning(
        initial=np.array([1.0, 2, 1, 2]), points=4
    )
    assert QLearning() != QLearning(alpha=0.2)
    assert len({QLearning(), QLearning(max_periods=1e9), QLearning(memory=2)}) == 2
