"""The study files of published experiments give, with few sessions, what was published, within chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from ludens.experiments.pricing.cells import measure_cell
from ludens.experiments.study.files import read_study

STUDIES = Path(__file__).parents[3] / "examples" / "studies"
FILES = sorted(path.name for path in STUDIES.glob("*.toml"))
SWEEPS = [file for file in FILES if read_study(STUDIES / file).kind() == "sweep"]


def cells(file):
    """The settings and the published numbers of a file's cells, by their labels."""
    config = read_study(STUDIES / file).config
    return {
        tuple(labels.values()): (settings, config.published(labels.get("cell")))
        for labels, settings in config.planned()
    }


def measured(settings, sessions, tests=False):
    return measure_cell({"settings": settings, "sessions": sessions, "seed": 3, "tests": tests})


def test_there_are_files():
    assert {"calvano_2020.toml", "klein_2021.toml", "asker_fershtman_pakes_2022.toml"} <= set(FILES)


@pytest.mark.parametrize("file", SWEEPS)
def test_every_sweep_has_cells(file):
    assert len(cells(file)) > 1


@pytest.mark.parametrize("file", FILES)
def test_every_file_can_be_run_and_says_how(file):
    assert read_study(STUDIES / file).episodes()
    assert f"ludens run examples/studies/{file}" in (STUDIES / file).read_text()


@pytest.mark.parametrize("steps", [6, 12])
def test_firms_that_move_in_turns_earn_what_klein_published(steps):
    settings, published = cells("klein_2021.toml")[f"k = {steps}", "random rivals"]
    profit, error = measured(settings, 24)["profit"]
    assert profit == pytest.approx(published["profit"], abs=3 * error)
    # Far from competition and below the joint profit of 0.125.
    assert 0.09 < profit < 0.12


def test_synchronous_learning_ends_near_cost_and_asynchronous_learning_far_above():
    made = cells("asker_fershtman_pakes_2022.toml")
    for label in ("logit, δ = 0, optimistic", "logit, δ = 0.95, optimistic"):
        together, _ = measured(made[label, "synchronous"][0], 20)["price"]
        alone, _ = measured(made[label, "asynchronous"][0], 20)["price"]
        assert together == pytest.approx(2.53, abs=0.01)
        assert 8.1 < alone < 9.3


def test_steering_that_looks_back_lowers_prices_and_static_steering_makes_learners_take_turns():
    made = cells("johnson_rhodes_wildenbeest_2023.toml")
    plain, static, dynamic = (
        measured(made[label,][0] | {"max_periods": 2_500_000}, 8)
        for label in ("no steering", "static", "dynamic, advantage 0")
    )
    assert dynamic["price"][0] < static["price"][0] < plain["price"][0]
    assert dynamic["consumer_surplus"][0] > 1.2 * plain["consumer_surplus"][0]
    assert dynamic["gain"][0] < static["gain"][0] < 0.5 * plain["gain"][0]
    assert static["cycle"][0] > 2 * plain["cycle"][0]


def test_a_less_patient_rival_lowers_prices_and_two_of_them_lower_them_further():
    made = cells("keppo_2026_learners.toml")
    equal, unequal, hasty = (
        measured(made[f"δ = {pair}",][0], 8)["price"][0]
        for pair in ("0.95 and 0.95", "0.95 and 0.35", "0.35 and 0.35")
    )
    assert hasty < unequal - 0.02 < equal - 0.1
    # Above the competitive price of 1.473, and below the joint-profit price of 1.925.
    assert 1.48 < hasty < equal < 1.9


@pytest.mark.parametrize("label", ["costs 1 and 0.5", "outside good ±0.2", "μ = 0.1"])
def test_variants_of_the_baseline_have_the_published_gain(label):
    settings, published = cells("calvano_2020.toml")[label,]
    gain, error = measured(settings, 12)["gain"]
    assert gain == pytest.approx(published["gain"], abs=3 * error)
