"""One game, one unit of action: a learner that was trained on the points of a price grid plays its prices."""

from __future__ import annotations

import numpy as np
import pettingzoo
import pytest

from ludens.agents import CallablePolicy
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import price_grid
from ludens.errors import UsageError
from ludens.experiments import resume
from ludens.experiments.pricing.history import histories
from ludens.experiments.pricing.study import play_pricing

MARKET = Market.symmetric(2)
GRID = price_grid(MARKET, 15)


class Learner:
    """A greedy table of a learner that was trained in ``ludens/bertrand-v0``: three points above the
    lowest.
    """

    def __init__(self):
        self.table = np.zeros(15)
        self.table[3] = 1.0
        self.sizes = set()

    def __call__(self, observation):
        self.sizes.add((observation["observation"].shape, observation["action_mask"].shape))
        return int(self.table.argmax())


def test_a_learner_trained_on_indices_sets_the_price_of_its_point(tmp_path):
    env = pettingzoo.make("parallel", "ludens/bertrand-v0", market=MARKET, periods=4)
    seen, _ = env.reset(seed=0)
    learner = Learner()
    trained = env.step({agent: learner(seen[agent]) for agent in env.agents})
    run = play_pricing(
        [CallablePolicy(learner, "learner"), "nash"], market=MARKET, periods=4, price_grid=15, scales=(1.0,
        10.0), path=tmp_path / "run.db", ceiling=None,
    )  # fmt: skip
    plain, scaled = histories(run)
    assert plain.prices[:, 0] == pytest.approx([1.544] * 4, abs=5e-4)
    assert plain.prices[:, 0].tolist() == [GRID[3]] * 4
    assert scaled.prices[:, 0] == pytest.approx([10 * GRID[3]] * 4)
    # The Nash price is not on the grid: the nearest one is set.
    assert plain.prices[0, 1] == GRID[np.abs(GRID - 1.472927).argmin()]
    assert len(learner.sizes) == 1  # it observes the market as in training
    assert trained[1]["firm_0"] > 0


def test_without_a_declared_grid_it_is_refused_in_a_sentence(tmp_path):
    learner = CallablePolicy(lambda observation: 3, "learner")
    with pytest.raises(UsageError, match=r"learner returned 3 at 'price'.*price_grid"):
        play_pricing([learner, "nash"], market=MARKET, periods=4, path=tmp_path / "run.db")


def test_a_grid_of_ones_own_is_kept_in_the_file(tmp_path):
    rows = [[1.2, 1.5, 1.8], [1.3, 1.4, 1.6]]
    run = play_pricing(
        ["fixed:1.79", "fixed:1.0"], market=MARKET, periods=2, price_grid=rows, path=tmp_path / "run.db"
    )
    assert run.manifest["config"]["price_grid"] == rows
    (found,) = histories(resume(run.path))
    assert found.prices.tolist() == [[1.8, 1.3]] * 2


@pytest.mark.parametrize(
    ("grid", "why"),
    [
        (1, "at least 2 points"),
        ("fine", "number of points, or prices"),
        (True, "number of points, or prices; got True"),
        (1.5, r"number of points, or prices; got 1\.5"),
        (np.nan, "number of points, or prices; got nan"),
        ([], "at least 2 prices"),
        ([[]], "at least 2 prices"),
        ([1.5], "at least 2 prices"),
        ([[[1.5, 1.6]]], "at least 2 prices"),
        ([[1.5, 1.6], [1.7]], "number of points, or prices"),
        ([1.5, np.nan], "finite"),
        ([1.5, 1.2], "above the one before"),
    ],
)
def test_wrong_grids_leave_no_file(tmp_path, grid, why):
    with pytest.raises(UsageError, match=rf"^pricing\.price_grid: .*{why}"):
        play_pricing(["nash", "nash"], market=MARKET, price_grid=grid, path=tmp_path / "run.db")
    assert not (tmp_path / "run.db").exists()


@pytest.mark.parametrize("grid", [[], "fine", [[1.5, 1.6], [1.7]], 1.5])
def test_an_environment_refuses_a_wrong_grid_in_a_sentence(grid):
    with pytest.raises(UsageError, match=r"^A price grid"):
        pettingzoo.make("parallel", "ludens/bertrand-v0", grid=grid)
