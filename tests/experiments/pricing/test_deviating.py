"""Forced deviations: known answers of rules, what is asked again and what is repeated, and what is "
"refused."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from ludens.agents.qlearning import QLearning, QLearningPolicy, impulse_response, train
from ludens.envs.pricing import Exit, Market
from ludens.envs.pricing.theory.benchmarks import price_grid
from ludens.errors import LudensError, UsageError
from ludens.experiments import Run, extend, load, report, resume
from ludens.experiments.pricing.deviating import deviate
from ludens.experiments.pricing.deviations import gains, measured, periods_until_back
from ludens.experiments.pricing.deviations_config import DeviateConfig
from ludens.experiments.pricing.history import histories
from ludens.experiments.pricing.study import play_pricing
from ludens.experiments.runs.database import NoRunError
from tests.loopback import Loopback, failing, say

NASH, JOINT, REPLY = 1.472927, 1.924981, 1.661695
"""The published prices of the symmetric baseline with two firms."""


def profits(*prices):
    """Of both firms in the baseline with 100 customers, by the formula."""
    weights = np.exp((2 - np.array(prices)) / 0.25)
    return 100 * (np.array(prices) - 1) * weights / (weights.sum() + 1)


def played(tmp_path, firms, periods=30, **config):
    path = tmp_path / "source.db"
    play_pricing(firms, periods=periods, path=path, **config)
    return path


def branched(source, **config):
    with deviate(source, path=source.parent / "branch.db", **config) as run:
        return measured(run)


def by_firm(result):
    return {each.firm: each for each in result.deviations}


def discounted(values, discount=0.95):
    return sum(discount**place * value for place, value in enumerate(values))


def test_grim_answers_with_nash_for_ever_and_the_deviation_does_not_pay(tmp_path):
    result = branched(played(tmp_path, ["grim", "grim"]), periods=(10,), after=9)
    found = by_firm(result)[0]
    expected = [(REPLY, JOINT), (JOINT, NASH), *[(NASH, NASH)] * 8]
    assert found.prices[9:] == pytest.approx(np.array(expected), abs=1e-5)
    assert found.path == pytest.approx(np.full((19, 2), JOINT), abs=1e-5)
    assert found.forced == pytest.approx(REPLY / JOINT - 1, abs=1e-5)
    assert found.answer == found.cut == pytest.approx(NASH / JOINT - 1, abs=1e-5)
    earned = [profits(*each)[0] for each in expected]
    kept = discounted([profits(JOINT, JOINT)[0]] * 10)
    assert found.gain == pytest.approx(discounted(earned) / kept - 1, rel=1e-4)
    tail = 0.95**10 / 0.05
    ever = discounted(earned) + tail * profits(NASH, NASH)[0]
    assert found.forever == pytest.approx(ever / (profits(JOINT, JOINT)[0] / 0.05) - 1, rel=1e-4)
    assert found.unprofitable is True
    assert found.back is None
    assert result.responses[0].unprofitable.value == 1
    assert result.responses[0].returned.value == 0
    assert by_firm(result)[1].gain == pytest.approx(found.gain)


def test_an_impatient_firm_gains_from_what_a_patient_one_would_not_do(tmp_path):
    source = played(tmp_path, ["grim", "grim"])
    # The critical discount factor of grim firms is .3931; here the deviator first charges the joint-profit
    # price once more, at which it sells little, so that it lies lower.
    assert branched(source, periods=(10,), discount=0.01).deviations[0].gain > 0
    with deviate(source, path=source.parent / "patient.db", periods=(10,), discount=0.9) as run:
        assert measured(run).deviations[0].gain < 0


def test_matching_firms_pass_the_cut_to_and_fro(tmp_path):
    found = by_firm(branched(played(tmp_path, ["matching", "matching"]), periods=(10,), after=6))[1]
    expected = [(JOINT, REPLY), (REPLY, JOINT)] * 4
    assert found.prices[9:] == pytest.approx(np.array(expected[:7]), abs=1e-5)
    assert found.answer == pytest.approx(REPLY / JOINT - 1, abs=1e-5)
    assert found.back is None


def test_a_rival_with_a_fixed_price_punishes_nothing(tmp_path):
    result = branched(played(tmp_path, ["fixed:1.9", "fixed:1.9"]), periods=(10,), deviators=(0,), after=5)
    (found,) = result.deviations
    reply = float(Market.symmetric(2).best_response(0, [1.0, 1.9])[0])
    assert found.prices[9] == pytest.approx([reply, 1.9])
    assert (found.answer, found.cut, found.back) == (0, 0, 1)
    assert found.gain > 0
    assert found.unprofitable is False
    assert result.responses[0].back.value == 1


def test_myopic_firms_at_nash_have_nothing_to_deviate_to(tmp_path):
    source = played(tmp_path, ["myopic", "myopic"])
    result = branched(source, periods=(10,))
    assert [each.differs for each in result.deviations] == [False, False]
    whole = result.responses[0]
    assert (whole.deviations, whole.same) == (0, 2)
    assert whole.gain.value is None
    assert "changes a price" in whole.gain.note
    with deviate(source, path=source.parent / "cut.db", periods=(10,), to="-10%", deviators=(0,)) as run:
        (found,) = measured(run).deviations
    market = Market.symmetric(2)
    price, cut = NASH, 0.9 * NASH
    for period in range(9, 14):
        assert found.prices[period] == pytest.approx([cut, price] if period % 2 else [price, cut], abs=1e-4)
        cut = float(market.best_response(0, [1.0, cut])[0])
    # The best reply's slope at Nash is .42: 10 %, 4 %, 1.8 % away, so back within 2 % in the second period.
    assert found.back == 2


def test_a_longer_deviation_is_the_best_reply_anew_in_each_period(tmp_path):
    source = played(tmp_path, ["nash", "matching"])
    found = by_firm(branched(source, periods=(10,), to="1.3", length=3, after=4))[0]
    assert found.prices[9:].T.tolist()[0] == pytest.approx([1.3] * 3 + [NASH] * 4, abs=1e-5)
    assert found.prices[9:].T.tolist()[1] == pytest.approx([NASH] + [1.3] * 3 + [NASH] * 3, abs=1e-5)
    assert found.back == 2
    with deviate(source, path=source.parent / "reply.db", periods=(10,), length=3, deviators=(1,)) as run:
        (found,) = measured(run).deviations
    assert found.differs is False  # the best reply to Nash is the Nash price


def test_on_a_price_grid_the_best_reply_is_a_point_and_steps_are_counted_on_it(tmp_path):
    grid = price_grid(Market.symmetric(2), 15)
    source = played(tmp_path, ["monopoly", "monopoly"], price_grid=15, scales=(10,))
    top = int(np.abs(grid - JOINT).argmin())
    earned = [profits(price, grid[top])[0] for price in grid]
    found = by_firm(branched(source, periods=(10,)))[0]
    assert found.prices[9].tolist() == pytest.approx([grid[int(np.argmax(earned))], grid[top]])
    for to, place in (("step:-2", top - 2), ("step:-99", 0), ("1.6", int(np.abs(grid - 1.6).argmin()))):
        with deviate(source, path=source.parent / f"{place}.db", periods=(10,), to=to, deviators=(1,)) as run:
            (found,) = measured(run).deviations
        assert found.prices[9].tolist() == pytest.approx([grid[top], grid[place]])


def test_learners_answer_as_the_trainer_s_impulse_responses_say(tmp_path):
    market, learner = Market.symmetric(2), QLearning(points=6, beta=5e-4, window=2000)
    for seed in range(40):
        sessions = train(market, learner, sessions=1, seed=seed, workers=1)
        response = impulse_response(sessions, horizon=8)
        cycle = len(sessions.cycles[0])
        if cycle == 2 and response.deviations[0] == 1 and response.returned[0] == 1:
            break
    else:
        pytest.fail("no session has a cycle of two periods to which play returns")
    policies = [QLearningPolicy(learner, seed=seed)] * 2
    source = played(tmp_path, policies, periods=60, market=market, price_grid=6)
    result = branched(source, periods=(21, 22), after=29, tolerance=0.001, firms=policies)
    assert len(result.deviations) == 4
    deviator = np.mean([each.changes[each.firm][:8] for each in result.deviations], axis=0)
    rivals = np.mean([each.changes[1 - each.firm][:8] for each in result.deviations], axis=0)
    assert deviator == pytest.approx(response.deviator[0], abs=1e-6)
    assert rivals == pytest.approx(response.rivals[0], abs=1e-6)
    assert np.mean([each.back for each in result.deviations]) == pytest.approx(response.periods[0])
    assert np.mean([each.forever < 0 for each in result.deviations]) == response.unprofitable[0]


def test_every_run_goes_on_with_the_learners_of_its_own_session(tmp_path):
    learner = {"spec": "qlearning", "points": 5, "beta": 5e-4, "window": 1000}
    longer = tmp_path / "longer.db"
    for path, periods in ((tmp_path / "source.db", 12), (longer, 20)):
        play_pricing([learner, learner], periods=periods, runs=3, path=path)
    with deviate(tmp_path / "source.db", path=tmp_path / "branch.db", periods=(12,), after=8) as run:
        paths = {each.source: each.path for each in measured(run).deviations}
    with Run(longer) as run:
        whole = {each.episode.index: each.prices for each in histories(run)}
    assert len({prices.tobytes() for prices in whole.values()}) > 1
    for source, prices in whole.items():
        assert paths[source] == pytest.approx(prices[1:])


def slots(price):
    return f"OBSERVATIONS: seen\nPLANS: my own plan\nINSIGHTS: my own insight\nPRICE: {price}"


def table_of(request):
    """The (period, own price, rival's price) that a request shows."""
    lines = [line.split(" | ")[:3] for line in request["messages"][1]["content"].splitlines()]
    return [tuple(map(float, line)) for line in lines if re.match(r"\d+$", line[0])]


def punishing(request):
    """Charge 1.8, and .2 less for one period if the rival was below 1.75 in the last."""
    shown = table_of(request)
    return say(slots(1.6 if shown and shown[-1][2] < 1.75 else 1.8))


@pytest.fixture
def asked(tmp_path):
    with Loopback([], punishing) as server:
        model = {
            "spec": "openai/loopback",
            "api_base": server.url,
            "retry_wait": 0.01,
            "transport_retries": 0,
        }
        source = played(tmp_path, [model, "fixed:1.8"], periods=20)
        server.requests.clear()
        yield source, server


def test_a_model_is_asked_only_for_the_periods_after_the_deviation(asked):
    source, server = asked
    before = server.count
    result = branched(source, periods=(10,), after=5, to="1.5")
    # The path is the source's own; in each branch the model answers 5 new periods.
    assert server.count - before == 2 * 5
    first = min(server.requests, key=lambda request: len(table_of(request)))
    assert "Reply now for period 11." in first["messages"][1]["content"]
    assert "as you left them\nmy own plan" in first["messages"][1]["content"]
    found = by_firm(result)
    assert found[1].prices[9:].tolist() == [[1.8, 1.5], [1.6, 1.8], *[[1.8, 1.8]] * 4]
    assert found[1].answer == pytest.approx(1.6 / 1.8 - 1)
    assert found[1].back == 2
    assert found[0].prices[9:].tolist() == [[1.5, 1.8], *[[1.8, 1.8]] * 5]
    assert (found[0].answer, found[0].back) == (0, 1)
    shown = {
        (request["messages"][1]["content"].count(" | 1.5 |"), table_of(request)[9][1:])
        for request in server.requests
    }
    assert {price for _, price in shown} == {(1.8, 1.5), (1.5, 1.8)}
    with Run(source.parent / "branch.db") as run:
        assert run.summary().calls == 10
        asked = [record.round + 1 for record in run.decisions() if record.policy == "openai/loopback"]
    assert sorted(asked) == sorted([11, 12, 13, 14, 15] * 2)


def test_where_the_source_ends_the_path_is_asked_too(asked):
    source, server = asked
    before = server.count
    result = branched(source, periods=(18,), after=5, to="1.5", deviators=(1,))
    # Periods 18 to 20 are the source's; the path lacks 21 to 23, the branch 19 to 23.
    assert server.count - before == 3 + 5
    assert result.deviations[0].path[-6:].tolist() == [[1.8, 1.8]] * 6
    assert result.deviations[0].start == 8


def test_a_branch_can_begin_right_after_the_last_period_of_a_run_under_way(asked):
    source, _ = asked
    result = branched(source, periods=(21,), after=2, to="-10%", deviators=(1,))
    (found,) = result.deviations
    assert found.prices[-3:] == pytest.approx(np.array([[1.8, 1.62], [1.6, 1.8], [1.8, 1.8]]))
    with pytest.raises(UsageError, match=r"played for 20 periods.*name a period up to the next one"):
        deviate(source, periods=(22,), path=source.parent / "late.db")
    assert not (source.parent / "late.db").exists()


def test_a_branch_that_broke_off_goes_on_and_pays_for_nothing_twice(asked):
    source, server = asked
    settings = {"periods": (10,), "after": 6, "to": "1.5"}
    whole = deviate(source, path=source.parent / "whole.db", **settings).final_table()
    server.requests.clear()
    server.script = [punishing, punishing, punishing, failing(500)]
    with pytest.raises(LudensError, match="gave no reply"):
        deviate(source, path=source.parent / "broken.db", concurrency=1, **settings)
    run = resume(source.parent / "broken.db")
    assert run.final_table() == whole
    assert server.count == 2 * 6 + 1


def test_a_source_that_grows_meanwhile_changes_no_branch(asked):
    source, server = asked
    server.script = [punishing, failing(500)]
    broken = source.parent / "broken.db"
    with pytest.raises(LudensError, match="gave no reply"):
        deviate(source, path=broken, periods=(10,), after=6, to="1.5", concurrency=1)
    extend(source, runs=2)
    run = resume(broken)
    assert run.manifest["status"] == "done"
    assert {each.labels["source"] for each in run.episodes()} == {0}


def test_a_firm_without_a_price_ends_its_branch_and_is_counted(asked):
    source, server = asked
    server.otherwise = lambda request: say("free" if table_of(request)[9][2] == 1.5 else slots(1.8))
    result = branched(source, periods=(10,), after=3, to="1.5")
    assert [each.firm for each in result.deviations] == [0]
    assert result.failed == 1
    assert result.responses[0].failed == 1
    assert "1 branches have no measure" in report_text(source.parent / "branch.db")


def report_text(path):
    report(path)
    return re.sub(r"\s+", " ", path.with_suffix(".html").read_text(encoding="utf-8"))


def test_what_the_deviation_did_not_cause_is_the_same_in_path_and_branch(tmp_path):
    source = played(tmp_path, ["random", "random"], seed=5)
    result = branched(source, periods=(10,), to="1.6", after=8, replicates=2)
    for each in result.deviations:
        differs = each.path != each.prices
        assert differs.sum() == 1
        assert differs[9, each.firm]
    first, second = (each.path for each in result.deviations if each.firm == 0)
    assert (first[:10] == second[:10]).all()  # up to the deviation everything is the source's
    assert (first[10:] != second[10:]).all()
    with Run(source) as run:
        assert (histories(run)[0].prices[:18] == first).all()


def test_a_branch_can_be_repeated_more_often(tmp_path):
    source = played(tmp_path, ["random", "nash"])
    run = deviate(source, path=tmp_path / "branch.db", periods=(10,), to="1.6", after=4)
    held = [record.decision for record in run.decisions()]
    source.unlink()
    _, result = load(run.path)  # what is done is measured without the source
    assert len(result.deviations) == 2
    with pytest.raises(NoRunError):
        extend(run.path, replicates=2)
    played(tmp_path, ["random", "nash"])
    grown = extend(run.path, replicates=2)
    assert [record.decision for record in grown.decisions()][: len(held)] == held
    assert len(measured(grown).deviations) == 4


def test_a_firm_that_is_not_there_cannot_be_forced(tmp_path):
    source = played(tmp_path, ["nash", "nash", "nash"], interventions=[Exit(15, 2)])
    result = branched(source, periods=(20,), to="1.3", after=4)
    assert [each.differs for each in result.deviations] == [True, True, False]
    found = result.deviations[0]
    assert np.isnan(found.prices[9:, 2]).all()
    assert found.answer == 0
    assert found.back == 1


def test_without_a_period_the_last_one_with_a_whole_path_is_taken(tmp_path):
    source = played(tmp_path, ["grim", "grim"], periods=30)
    result = branched(source, length=2, after=8)
    assert {each.period for each in result.deviations} == {21}
    short = played(tmp_path / "short", ["grim", "grim"], periods=6)
    assert {each.period for each in branched(short).deviations} == {4}


def test_prices_are_back_at_a_cycle_at_any_point_of_it():
    path = np.array([[1.5], [1.8], [1.6]] * 4)
    shifted = np.array([[1.2], [1.8], [1.6], *[[1.5], [1.8], [1.6]] * 3])
    assert periods_until_back(path, shifted, 0.01) == 2
    assert periods_until_back(path, np.roll(path, 1, axis=0), 0.01) == 1
    late = np.concatenate([[[1.2], [1.2]], path[:-2]])
    assert periods_until_back(path, late, 0.01) == 3
    # A path that rises is no cycle: only the same period counts.
    rising = np.linspace(1.5, 1.9, 12)[:, None]
    assert periods_until_back(rising, rising - 0.1, 0.01) is None
    assert periods_until_back(rising, rising * 1.005, 0.01) == 1
    assert periods_until_back(rising, np.where(np.arange(12)[:, None] == 11, 1.0, rising), 0.01) is None


def test_gains_by_hand():
    assert gains(np.array([1.0, 1.0]), np.array([2.0, 0.0]), 0.5) == (
        pytest.approx((1 - 0.5) / 1.5),
        pytest.approx((1 - 0.5 - 0.5) / 2.0),
    )
    assert gains(np.zeros(3), np.ones(3), 0.5) == (None, None)
    assert gains(np.array([1.0]), np.array([1.5]), 0.9) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"to": "cheap"}, r"deviate\.to: A firm is forced to 'best-reply'"),
        ({"to": "step:1.5"}, "step:-2"),
        ({"periods": (0,)}, r"deviate\.periods\[0\]"),
        ({"length": 0}, r"deviate\.length"),
        ({"discount": 1.0}, "discount factor lies in"),
        ({"tolerance": -0.1}, "share of the price"),
        ({"deviators": (2,)}, "numbered from 0 to 1; got 2"),
        ({"to": "step:-1"}, "counts points of a price grid"),
        ({"firms": ("nash",) * 3}, "has 2 firms and 3 were named"),
    ],
)
def test_what_cannot_be_forced_is_refused_before_anything_is_written(tmp_path, given, why):
    source = played(tmp_path, ["nash", "nash"], periods=12)
    with pytest.raises(UsageError, match=why):
        deviate(source, path=tmp_path / "branch.db", **{"periods": (5,), "after": 3, **given})
    assert not (tmp_path / "branch.db").exists()


def test_a_target_may_be_a_number():
    assert DeviateConfig(source="a.db", to=1.62345678).to == "1.62345678"
    assert DeviateConfig(source="a.db", periods=3, deviators=1).periods == (3,)


def test_the_report_shows_path_branch_and_table(tmp_path):
    source = played(tmp_path, ["grim", "matching"], scales=(1, 10))
    with deviate(source, path=tmp_path / "branch.db", periods=(10,), after=6) as run:
        path = run.path
    text = report_text(path)
    for words in (
        "Does a deviation pay?",
        "static best reply",
        "unprofitable, %",
        "firm 1 is forced",
        "<svg",
    ):
        assert words in text
    study, result = load(path)
    rows = {name: list(table) for name, table in study.tables(result).items()}
    assert len(rows["deviations"]) == 4
    assert rows["deviations"][0]["gain"] == result.deviations[0].gain
    assert len(rows["prices"]) == 4 * 16 * 2
    assert json.loads(json.dumps(study.as_json(result)))["responses"][0]["deviations"] == 4
