"""Budgets as they are, and models of risk and time in the same estimator, by hand and by recovery."""

from __future__ import annotations

import numpy as np
import pytest

from ludens.errors import UsageError
from ludens.preferences.estimation import fit, read_choices
from ludens.preferences.estimation.fitting.likelihood import evaluator, log_probabilities
from ludens.preferences.estimation.models.catalogue import find_model
from ludens.preferences.estimation.models.ces import CES
from ludens.preferences.estimation.models.crra import CRRA
from ludens.preferences.estimation.models.linear import FEHR_SCHMIDT
from ludens.preferences.estimation.models.prospect import PROSPECT
from ludens.preferences.estimation.models.quasi_hyperbolic import QUASI_HYPERBOLIC

ONE = {"subject": ["a"], "price_own": [1.0], "price_other": [2.0], "own": [60.0], "other": [20.0]}


def density(model, theta, table):
    choices = read_choices(table, model)
    return log_probabilities(model, choices, model.to_free(np.array(theta)))[:, 0]


def test_the_density_of_a_choice_on_a_budget_by_hand():
    """β of 1 per point ahead: between (100, 0) and (33.3, 33.3) utility falls by a line, then by another."""
    shares = np.linspace(0, 1, 200_001)
    own, other = 100 * (1 - shares), 50 * shares
    utility = own - 0.4 * np.maximum(other - own, 0) - 0.3 * np.maximum(own - other, 0)
    log_total = np.log(np.trapezoid(np.exp(utility / 5 - utility.max() / 5), shares)) + utility.max() / 5
    expected = (60 - 0.3 * 40) / 5 - log_total
    assert density(FEHR_SCHMIDT, (0.4, 0.3, 5), ONE)[0] == pytest.approx(expected, abs=1e-6)


def test_a_density_is_the_limit_of_menus():
    choices = read_choices(ONE, CES)
    points = 2001
    shares = np.linspace(0, 1, points)
    menu = {
        "subject": ["a"] * points,
        "situation": ["s"] * points,
        "own": 100 * (1 - shares),
        "other": 50 * shares,
        "chosen": (np.abs(shares - 0.4) < 1e-9).astype(int),
    }
    theta = CES.to_free(np.array([0.7, 0.3, 4.0]))
    on_menu = log_probabilities(CES, read_choices(menu, CES), theta)
    chosen = on_menu[0, np.argmax(menu["chosen"])]
    assert log_probabilities(CES, choices, theta)[0, 0] == pytest.approx(
        chosen + np.log(points - 1), abs=2e-3
    )


def test_the_gradient_of_a_density_is_its_slope():
    table = {name: cells * 3 for name, cells in ONE.items()}
    table["other"], table["own"] = [20.0, 0.0, 50.0], [60.0, 100.0, 0.0]
    choices = read_choices(table, CES)
    value = evaluator(CES, choices, choices.total[None])
    phi = CES.to_free(np.array([0.6, 0.2, 8.0]))
    found = value(phi[None], np.zeros(1, dtype=np.intp))
    for place in range(3):
        step = np.zeros(3)
        step[place] = 1e-6
        above, below = (value((phi + sign * step)[None], np.zeros(1, dtype=np.intp)) for sign in (1, -1))
        assert found.gradient[0, place] == pytest.approx((above.level[0] - below.level[0]) / 2e-6, rel=1e-4)


def giving(a, rho, noise, *, people=142, budgets=8, seed=0):
    """Choices on budgets drawn from the density of CES preferences."""
    rng = np.random.default_rng(seed)
    shares = np.linspace(0, 1, 4001)
    rows = []
    for person in range(people):
        for price, income in zip(rng.uniform(0.3, 3, budgets), rng.uniform(40, 120, budgets), strict=True):
            own, other = income * (1 - shares), income / price * shares
            with np.errstate(divide="ignore"):
                level = (a * own**rho + (1 - a) * other**rho) ** (1 / rho) / noise
            weights = np.exp(level - level.max())
            place = rng.choice(len(shares), p=weights / weights.sum())
            rows.append((person, 1.0, price, own[place], other[place]))
    return dict(zip(ONE, map(list, zip(*rows, strict=True)), strict=True))


def test_ces_is_recovered_from_budgets_as_they_are():
    table = giving(0.7, 0.4, 6.0)
    found = fit(read_choices(table, "ces"), "ces")
    for value, error, truth in zip(
        found.values, found.standard_errors("cluster"), (0.7, 0.4, 6), strict=True
    ):
        assert abs(value - truth) < 4 * error
        assert error < 0.5 * truth


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("price_own", 0.0, "row 0 .*'price_own' holds 0, and a price is above 0"),
        ("other", -1.0, "row 0 .*'other' holds -1, and a quantity is at least 0"),
        ("own", "much", "row 0 .*'own' holds 'much'"),
    ],
)
def test_impossible_budgets_are_refused(column, cell, told):
    with pytest.raises(UsageError, match=told):
        read_choices({**ONE, column: [cell]}, "ces")
    with pytest.raises(UsageError, match="buys nothing at all"):
        read_choices({**ONE, "own": [0], "other": [0]}, "ces")
    with pytest.raises(UsageError, match="Choices on budgets have no 'universalised"):
        read_choices(ONE, "moralis")


MODELS = {
    CRRA: (0.6,),
    PROSPECT: (0.88, 2.25, 0.61),
    QUASI_HYPERBOLIC: (0.8, 0.95, 0.9),
}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_gradients_are_the_functions(model):
    rng = np.random.default_rng(1)
    attributes = rng.uniform(0.1, 0.9, (5, 3, len(model.attributes)))
    attributes[..., 0] *= 50
    if model is PROSPECT:
        attributes[..., 1] = -20 + 40 * attributes[..., 1]
        attributes[0, 0, 2], attributes[0, 1, 2] = 0, 1
    if model is QUASI_HYPERBOLIC:
        attributes[..., 1] = [0, 1, 5]
    theta = np.array(MODELS[model])
    slope = model.utility(attributes, theta)[1]
    for place in range(len(theta)):
        step = np.zeros(len(theta))
        step[place] = 1e-6
        rise = model.utility(attributes, theta + step)[0] - model.utility(attributes, theta - step)[0]
        np.testing.assert_allclose(slope[..., place], rise / 2e-6, rtol=1e-4, atol=1e-6)


def lottery(model, theta, *amounts):
    return float(model.utility(np.array([[amounts]], dtype=float), np.array(theta))[0][0, 0])


def test_utilities_by_hand():
    assert lottery(CRRA, (0.0,), 100, 0, 0.5) == pytest.approx(50)
    assert lottery(CRRA, (0.5,), 100, 0, 0.5) == pytest.approx(25)  # (½·√100)²
    assert lottery(CRRA, (1.0,), 100, 1, 0.5) == pytest.approx(10)  # the geometric mean
    assert lottery(CRRA, (2.0,), 100, 0, 0.5) == 0
    assert lottery(CRRA, (0.7,), 40, 0, 1.0) == pytest.approx(40)
    assert lottery(PROSPECT, (1, 1, 1), 100, -50, 0.5) == pytest.approx(25)
    assert lottery(PROSPECT, (1, 2, 1), 100, -50, 0.5) == pytest.approx(0)
    assert lottery(PROSPECT, (1, 2, 1), -50, 100, 0.5) == pytest.approx(0)
    # Tversky & Kahneman's weight of one half at γ = .61 is .421.
    assert lottery(PROSPECT, (1, 2.25, 0.61), 100, 0, 0.5) == pytest.approx(42.1, abs=0.05)
    assert lottery(QUASI_HYPERBOLIC, (0.7, 0.9, 1), 100, 2, 0, 0) == pytest.approx(0.7 * 0.81 * 100)
    assert lottery(QUASI_HYPERBOLIC, (0.7, 0.9, 1), 10, 0, 100, 1) == pytest.approx(10 + 63)


def answers(model, theta, noise, columns, count):
    """Binary choices of 20 people under a model; columns hold attributes of x and y by name."""
    rng = np.random.default_rng(2)
    sides = []
    for side in "xy":
        table = np.stack(
            [np.broadcast_to(columns(rng, side, count)[name], count) for name in model.attributes], -1
        )
        sides.append(table)
    utility = model.utility(np.stack(sides, axis=1), np.array(theta))[0] / noise
    taken = rng.random(count) < 1 / (1 + np.exp(utility[:, 1] - utility[:, 0]))
    named = {
        f"{name}_{side}": sides[place][:, at]
        for place, side in enumerate("xy")
        for at, name in enumerate(model.attributes)
    }
    return {"subject": np.arange(count) % 20, **named, "choice_x": taken.astype(int)}


def lotteries(rng, side, count):
    low = 0 if side == "x" else 15
    return {
        "amount_1": rng.uniform(40, 100, count) if side == "x" else rng.uniform(20, 50, count),
        "amount_2": rng.uniform(-60, 0, count) if side == "x" else rng.uniform(low, 20, count),
        "chance_1": rng.uniform(0.1, 0.9, count),
    }


def gains(rng, side, count):
    return {**lotteries(rng, side, count), "amount_2": rng.uniform(0, 15, count)}


def dated(rng, side, count):
    soon = side == "x"
    return {
        "amount_1": rng.uniform(20, 60, count) if soon else rng.uniform(30, 100, count),
        "delay_1": rng.choice([0, 2], count) if soon else rng.choice([3, 6, 12], count),
        "amount_2": 0,
        "delay_2": 0,
    }


@pytest.mark.parametrize(
    ("model", "theta", "noise", "columns"),
    [
        (CRRA, (0.5,), 5, gains),
        (PROSPECT, (0.88, 2.0, 0.7), 4, lotteries),
        (QUASI_HYPERBOLIC, (0.8, 0.95, 1.0), 3, dated),
    ],
    ids=["crra", "prospect", "quasi_hyperbolic"],
)
def test_parameters_of_risk_and_time_are_recovered(model, theta, noise, columns):
    table = answers(model, theta, noise, columns, 1200)
    if model is QUASI_HYPERBOLIC:  # a second date may be left out
        table = {name: cells for name, cells in table.items() if "_2" not in name}
    # Single dated amounts tell curvature from discounting by their noise alone.
    fixed = {"curvature": 1.0} if model is QUASI_HYPERBOLIC else {}
    found = fit(read_choices(table, model), find_model(model.name), fix=fixed)
    for name, value, error, truth in zip(
        found.names, found.values, found.standard_errors("cluster"), (*theta, noise), strict=True
    ):
        if name in fixed:
            continue
        assert abs(value - truth) < 4 * error
        assert error < truth


@pytest.mark.parametrize(
    ("model", "table", "told"),
    [
        ("crra", {"amount_1_x": [-1], "chance_1_x": [0.5]}, "amount of at least 0"),
        ("prospect", {"amount_1_x": [1], "chance_1_x": [1.5]}, "needs a probability as chance_1"),
        ("quasi_hyperbolic", {"amount_1_x": [1], "delay_1_x": [-2]}, "delays of at least 0"),
        ("crra", {"amount_1_x": [1]}, "no column 'chance_1'"),
    ],
)
def test_impossible_lotteries_are_refused(model, table, told):
    rest = {name.replace("_x", "_y"): [1] for name in table}
    with pytest.raises(UsageError, match=told):
        fit(read_choices({"subject": [1], **table, **rest, "choice_x": [1]}, model), model)


def test_a_long_table_needs_only_what_the_model_uses():
    table = {
        "subject": [1] * 4,
        "situation": ["a", "a", "b", "b"],
        "amount_1": [10, 20, 10, 5],
        "chance_1": [0.5, 0.3, 1, 0.9],
        "chosen": [1, 0, 0, 1],
    }
    assert read_choices(table, "crra").attributes[0].tolist() == [[10, 0, 0.5], [20, 0, 0.3]]
