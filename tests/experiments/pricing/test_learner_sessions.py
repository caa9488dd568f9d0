"""A Q-learner that plays against others is that of another training session in every run."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from ludens.agents import make_policy
from ludens.agents.qlearning.policy import limit_strategies
from ludens.experiments.pricing.analysis import analyse
from ludens.experiments.pricing.page import page
from ludens.experiments.pricing.reading import panel
from ludens.experiments.pricing.result import measured, panel_rows
from ludens.experiments.pricing.study import PricingStudy, play_pricing
from ludens.experiments.pricing.terminal import print_analysis
from ludens.experiments.study.engine import extend, load_result

QUICK = "qlearning:points=4,alpha=0.3,beta=1e-3,window=500,max_periods=20000"


def test_runs_play_the_sessions_of_their_numbers_at_every_scale(tmp_path):
    firms = [f"{QUICK},session=2", "random"]
    run = play_pricing(firms, periods=30, runs=3, scales=(1, 10), path=tmp_path / "run.db")
    assert [each.labels["sessions"] for each in run.episodes()] == [[2, None], [3, None], [4, None]] * 2
    played = panel(run)
    parameters = make_policy(QUICK, "bertrand").parameters
    for number, schedule in enumerate(played.schedules):
        limit = limit_strategies(schedule.market, parameters, 0, 2 + number % 3)
        prices = limit.tables.grid[0, limit.strategies[0]]
        assert set(played.prices[number, :, 0].round(9)) <= set(prices.round(9))
    assert len({tuple(played.relative_prices[number, :, 0].round(6)) for number in range(3)}) == 3


def test_a_comparison_can_be_paired_by_run(tmp_path):
    against = [
        panel(play_pricing([QUICK, rival], periods=5, runs=3, path=tmp_path / f"{place}.db"))
        for place, rival in enumerate(("fixed:1.5", "fixed:1.9"))
    ]
    # Before the rival's price is seen, each session sets its own first price, whoever the rival is.
    assert np.array_equal(against[0].prices[:, 0, 0], against[1].prices[:, 0, 0])


def test_the_report_says_which_session_played(tmp_path):
    run = play_pricing([QUICK, "nash"], periods=6, runs=2, path=tmp_path / "run.db")
    result = measured(run)
    (runs,) = [each for each in page(result).tables if each.title == "Runs"]
    place = runs.headers.index("session")
    assert [row[place].text for row in runs.rows] == ["0", "1"]
    assert [(row["run"], row["session"]) for row in panel_rows(result.panel) if row["period"] == 1] == [
        (0, 0), (0, None), (1, 1), (1, None),
    ]  # fmt: skip
    console = Console(file=io.StringIO(), width=80)
    print_analysis(result.analysis, console)
    assert "session" in console.file.getvalue()
    without = analyse(panel(play_pricing(["nash", "nash"], periods=6, path=tmp_path / "nash.db")))
    assert without.measures[0].sessions == ()


def test_a_run_that_grows_goes_on_with_the_next_sessions(tmp_path):
    run = play_pricing([QUICK, "nash"], periods=4, runs=2, path=tmp_path / "run.db")
    grown = extend(run.path, runs=4)
    assert [each.labels["sessions"][0] for each in grown.episodes()] == [0, 1, 2, 3]
    assert load_result(PricingStudy, run.path).analysis.groups[0].runs == 4


@pytest.mark.parametrize("mode", ["trained", "online"])
def test_a_learner_of_another_run_leaves_the_first_as_it_is(mode):
    learner = make_policy(f"{QUICK},mode={mode}", "bertrand")
    other = learner.in_run(3)
    assert (learner.session, other.session) == (0, 3)
    assert learner.in_run(0).describe() == learner.describe()
    assert make_policy("nash", "bertrand").in_run(3).session is None
