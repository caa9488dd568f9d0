"""Markets whose firms see more or less of one another: policies, prompts, the command."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ludens import cli
from ludens.agents.llm.prompts.prices import PricePromptOptions, render_price_turn
from ludens.agents.pricing.view import market_view
from ludens.agents.pricing.words import market_words
from ludens.envs.pricing import Market
from ludens.envs.pricing.interventions import Information
from ludens.errors import UsageError
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.session import MarketSession
from ludens.experiments.pricing.study import play_pricing
from tests.agents.pricing.turns import pricing_turn


def prompt(layout="full", **seen):
    config = PricingConfig(
        firms=["fixed:1.5", "fixed:1.7"],
        market={"qualities": [2, 2], "costs": [1, 1.3], "quantity_scale": 100},
        ceiling=(),
        interventions=[Information(**seen, firms=(0,))] if seen else [],
    )
    session = MarketSession(config, {"scale": 1.0})
    session.reset(0)
    turns = session.turns()
    session.step({seat: policy_decision(seat) for seat in turns})
    turn = session.turns()["firm_0"]
    return render_price_turn(market_view(turn), PricePromptOptions(layout=layout), "slots").messages[1][
        "content"
    ], market_words(turn)


def policy_decision(seat):
    from ludens.agents.policy import Decision

    return Decision({"firm_0": 1.5, "firm_1": 1.7}[seat])


@pytest.mark.parametrize("layout", ["full", "compact"])
def test_a_model_reads_what_its_firm_sees_and_no_more(layout):
    usual, _ = prompt(layout)
    assert "1.7" in usual
    hidden, words = prompt(layout, prices=False)
    assert "1.7" not in hidden
    assert "1.7" not in words
    assert "You do not learn what other firms charge" in hidden
    assert "known to them alone" in hidden
    assert "1.3" not in usual + hidden
    rich, words = prompt(layout, quantities=True, profits=True, costs=True)
    assert "The competitor's cost of a unit is 1.3." in rich
    assert "After each period you learn what other firms sold and earned." in rich
    assert "A unit costs firm 1 1.3." in words
    # Of 100 customers at 1.5 and 1.7: e^2, e^1.2 and 1 by logit; firm 1 sells 28.35 at a margin of .4.
    for number in ("28.35" if layout == "full" else "28.4", "11.3"):
        assert number in rich
        assert number not in usual
    assert "others sold 28.35" in words
    assert "others' profit 11.3" in words


@pytest.mark.parametrize(
    ("firm", "seen", "why"),
    [
        ("nash", {}, "costs are private"),
        ("homo_moralis:0.5", {}, "costs are private"),
        ("monopoly", {}, "costs are private"),
        ("leader", {}, "costs are private"),
        ("homo_moralis:0.5,universalisation=firms_and_consumers", {}, "costs are private"),
        ("myopic", {"prices": False, "costs": True}, "does not see its rivals' prices"),
        ("matching", {"prices": False, "costs": True}, "does not see its rivals' prices"),
        ("grim", {"prices": False, "costs": True}, "does not see its rivals' prices"),
        ("qlearning", {"prices": False}, "Q-learner"),
    ],
)
def test_policies_that_need_what_they_may_not_see_are_refused_before_a_file_is_made(
    tmp_path, firm, seen, why
):
    path = tmp_path / "run.db"
    with pytest.raises(UsageError, match=why):
        play_pricing([firm, "fixed:1.6"], path=path, periods=2, interventions=[Information(**seen)])
    assert not path.exists()


def test_a_firm_that_is_alone_knows_all_costs_there_are(tmp_path):
    with play_pricing(
        ["monopoly"], path=tmp_path / "run.db", periods=1, interventions=[Information()]
    ) as run:
        (price,) = [float(each.decision.action) for each in run.decisions()]
    assert price == pytest.approx(1.80198501, abs=1e-8)  # the largest (p - 1)/(1 + e^((p - 2)/0.25))


@pytest.mark.parametrize("moves", ["leader", "in turns"])
def test_secret_prices_are_of_firms_that_move_together(moves):
    with pytest.raises(UsageError, match="move together"):
        PricingConfig(firms="fixed:1.5", moves=moves, interventions=[Information(prices=False)])


def test_policies_that_see_enough_play_as_they_did(tmp_path):
    seen = [Information(costs=True, firms=(0,)), Information(firms=(1,))]
    told = play_pricing(["myopic", "fixed:1.6"], path=tmp_path / "a.db", periods=4, interventions=seen)
    plain = play_pricing(["myopic", "fixed:1.6"], path=tmp_path / "b.db", periods=4)
    with told, plain:
        actions = [[each.decision.action for each in run.decisions()] for run in (told, plain)]
    assert actions[0] == actions[1]


@pytest.fixture
def ran(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder; returns code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_command_takes_information_and_a_study_file_keeps_it(ran, tmp_path):
    options = ["price", "--firms", "nash,fixed:1.6", "--periods", "3"]
    options += ["--with", "information:costs=true,firms=0", "--with", "information:prices=false,firms=1"]
    code, text, _ = ran(*options, "--print-config")
    assert code == 0
    assert 'kind = "Information"' in text
    file = tmp_path / "study.toml"
    file.write_text(text, encoding="utf-8")
    outputs = [ran("run", file, "--out", "a.db", "--json"), ran(*options, "--out", "b.db", "--json")]
    assert [code for code, *_ in outputs] == [0, 0]
    one, other = (json.loads(out)["runs"] for _, out, _ in outputs)
    assert one == other


def test_the_trainer_of_q_learners_refuses_information(ran):
    code, _, err = ran("price", "sweep", "--with", "information:costs=true", "--sessions", 1, "--out", "x.db")
    assert code == 2
    assert "leave Information out" in err


def test_costs_and_profits_of_rivals_are_those_of_firms_not_of_products():
    market = Market([2, 2, 2], [1, 1.2, 1.3], owners=[0, 1, 1], quantity_scale=100)
    known = {"quantities": np.full((1, 3), 9.0), "profits": np.array([[5.0, 7.5]])}
    turn = pricing_turn([(1.5, 1.6, 1.7)], market=market, information=Information(costs=True), **known)
    words = market_words(turn)
    assert "A unit of product 1 costs firm 1 1.2." in words
    assert "A unit of product 2 costs firm 1 1.3." in words
    assert "others' profit 7.5." in words
    prompt = render_price_turn(market_view(turn), PricePromptOptions(), "slots").messages[1]["content"]
    assert "The competitor's cost of a unit of its product 2 is 1.3." in prompt


def test_people_read_dashes_for_periods_before_their_firm_entered():
    entry = [{"kind": "Entrant", "period": 2, "firm": 1}]
    config = PricingConfig(firms=["fixed:1.5", "fixed:1.7"], ceiling=(), interventions=entry)
    session = MarketSession(config, {"scale": 1.0})
    session.reset(0)
    session.step({"firm_0": policy_decision("firm_0")})
    words = market_words(session.turns()["firm_1"])
    assert "Period 1: your price –, others' 1.5; sold –, profit –." in words
    assert "nan" not in words
