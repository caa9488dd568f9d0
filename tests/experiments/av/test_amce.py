"""AMCEs against statsmodels, planted preferences, people's numbers; and the generator's balance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ludens.envs.av.moral_machine.scenarios import CHARACTERS, MOST, TYPES, draw_scenarios
from ludens.errors import UsageError
from ludens.experiments.av.amce import ATTRIBUTES, PEOPLE, at_stake, distance, effects, read_effects

TABLE = Path(__file__).parents[4] / "shared" / "data" / "moral_machine_amce_llms.csv"
needs_table = pytest.mark.skipif(not TABLE.is_file(), reason=f"the table of 75 models is not at {TABLE}")


@needs_table
@pytest.mark.parametrize(
    ("model", "printed"),
    [
        ("GPT-3.5(Jan'24)", 0.796),
        ("GPT-4(Apr'24)", 0.762),
        ("GPT-4o(Nov'24)", 0.946),
        ("GPT-4o-mini", 1.076),
        ("o1(Dec'24)", 0.916),
        ("o1-mini", 0.710),
    ],
)
def test_models_are_as_far_from_people_as_was_printed(model, printed):
    table = read_effects(TABLE)
    assert round(distance(table[model], table["Human"]), 3) == printed


@needs_table
def test_peoples_effects_are_those_of_the_table():
    table = read_effects(TABLE)
    assert len(table) == 76
    assert {name: round(value, 3) for name, value in table["Human"].items()} == PEOPLE


def test_effects_are_weighted_least_squares_with_clustered_errors():
    api = pytest.importorskip("statsmodels.api")
    scenarios = draw_scenarios(900, seed=1, relations=(0.48, 0.52), legalities=(0.5, 0.3, 0.2))
    rng = np.random.default_rng(2)
    spared = (rng.random(900) < 0.3 + 0.4 * scenarios.inaction[:, 0]).astype(float)
    respondent = rng.integers(60, size=900)
    found = effects(scenarios, spared, clusters=respondent)
    for name in ATTRIBUTES:
        level, used = at_stake(scenarios, name)
        y = np.stack([spared, 1 - spared], axis=1)[used].ravel()
        w = np.repeat(1 / scenarios.probability[used], 2)
        fit = api.WLS(y, api.add_constant(level[used].ravel()), weights=w).fit(
            cov_type="cluster", cov_kwds={"groups": np.repeat(respondent[used], 2)}
        )
        assert found[name].value == pytest.approx(fit.params[1], abs=1e-10)
        assert found[name].error == pytest.approx(fit.bse[1], rel=1e-8)
        assert found[name].scenarios == used.sum()


def test_a_respondent_who_draws_lots_has_no_effects():
    scenarios = draw_scenarios(7000, seed=3)
    spared = (np.random.default_rng(4).random(7000) < 0.5).astype(float)
    for found in effects(scenarios, spared).values():
        # 99.9 % each: nine intervals at once.
        assert abs(found.value) < 3.3 * found.error


def test_a_liking_for_the_first_place_is_no_preference():
    scenarios = draw_scenarios(14_000, seed=5)
    for found in effects(scenarios, np.ones(14_000)).values():
        assert abs(found.value) < 3.3 * found.error
    both = [effects(each, np.ones(14_000)) for each in (scenarios, scenarios.swapped())]
    for name in ATTRIBUTES:
        assert both[0][name].value == pytest.approx(-both[1][name].value)


@pytest.mark.parametrize("name", list(ATTRIBUTES))
def test_planted_preferences_are_recovered(name):
    scenarios = draw_scenarios(6000, seed=6)
    level, used = at_stake(scenarios, name)
    # A logit with weight 1 on this attribute alone: P(spared | has it) = σ(1).
    gap = np.where(used, level[:, 0] - level[:, 1], 0.0)
    spared = (np.random.default_rng(7).random(6000) < 1 / (1 + np.exp(-gap))).astype(float)
    found = effects(scenarios, spared)
    wanted = 2 / (1 + np.exp(-1)) - 1
    assert abs(found[name].value - wanted) < 3.3 * found[name].error
    assert found[name].error < 0.05


@settings(max_examples=30)
@given(st.integers(1, 400), st.integers(0, 1000))
def test_every_scenario_is_one_that_could_be_shown(n, seed):
    scenarios = draw_scenarios(n, seed=seed)
    size = scenarios.size
    assert size.min() >= 1
    assert size.max() <= MOST
    assert scenarios.inaction.sum(axis=1).tolist() == [1] * n
    assert np.all(scenarios.passengers.sum(axis=1) <= 1)
    assert np.all(scenarios.legality[scenarios.passengers] == 0)
    named = {name: scenarios.type == place for place, name in enumerate(TYPES)}
    assert np.all((size[:, 0] == size[:, 1]) | named["number"] | named["random"])
    more = np.take_along_axis(size, scenarios.level.argmax(axis=1)[:, None], axis=1)[:, 0]
    assert np.all((more == size.max(axis=1))[named["number"]])
    pets = scenarios.counts[:, :, [CHARACTERS.index("dog"), CHARACTERS.index("cat")]].sum(axis=2)
    fewer = np.take_along_axis(pets, scenarios.level.argmax(axis=1)[:, None], axis=1)[:, 0]
    assert np.all((fewer == 0)[named["species"]])
    counts = [int(found.sum()) for found in named.values()]
    assert max(counts) - min(counts) <= 1


def test_cells_are_drawn_with_the_probability_that_is_kept():
    scenarios = draw_scenarios(20_000, seed=8, relations=(0.48, 0.52), legalities=(0.5, 0.3, 0.2))
    keys = np.stack(
        [
            scenarios.passengers[:, 0], scenarios.passengers[:, 1], scenarios.inaction[:, 0],
            scenarios.legality[:, 0], scenarios.legality[:, 1],
        ],
        axis=1,
    ).astype(int)  # fmt: skip
    cells, place, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    # Told either way round, two signals of pedestrians come out alike with other probabilities: compare sums.
    chance = np.array([scenarios.probability[place.ravel() == k].mean() for k in range(len(cells))])
    riding = cells[:, :2].any(axis=1)
    assert (
        stats.chisquare(count[riding], chance[riding] / chance[riding].sum() * count[riding].sum()).pvalue
        > 0.001
    )
    assert np.mean(scenarios.passengers.any(axis=1)) == pytest.approx(0.48, abs=0.012)
    assert np.mean(scenarios.signal) == pytest.approx(0.5, abs=0.012)


def test_the_same_seed_draws_the_same_scenarios():
    one, same, other = (draw_scenarios(50, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.counts, same.counts)
    assert not np.array_equal(one.counts, other.counts)


def test_missing_answers_are_left_out():
    scenarios = draw_scenarios(100, seed=1)
    spared = np.full(100, np.nan)
    found = effects(scenarios, spared)
    assert all(np.isnan(effect.value) and effect.scenarios == 0 for effect in found.values())


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 3, "types": ["colour"]}, {"n": 3, "relations": (1, 1)}])
def test_wrong_designs_are_said(wrong):
    with pytest.raises(UsageError):
        draw_scenarios(**wrong)


def test_wrong_answers_and_tables_are_said(tmp_path):
    scenarios = draw_scenarios(3)
    with pytest.raises(UsageError, match="share"):
        effects(scenarios, [0, 1])
    with pytest.raises(UsageError, match="share"):
        effects(scenarios, [0, 1, 2])
    with pytest.raises(UsageError, match="attribute 'colour'"):
        distance({"colour": 1.0})
    path = tmp_path / "table.csv"
    for text, said in (
        ("", "row of models"),
        ("L,a\nColour,1\n", "not an attribute"),
        ("L,a\nAge,x\n", "Row 2"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=said):
            read_effects(path)
