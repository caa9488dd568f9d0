"""What happens to a market from outside reaches firms as far as it is public, and changes what is sold."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ludens.agents.llm.prompts.prices import PricePromptOptions, render_price_turn
from ludens.agents.pricing.view import market_view
from ludens.agents.pricing.words import market_words
from ludens.envs.pricing import (
    BertrandEnv,
    CheapTalk,
    DemandShock,
    Entrant,
    Exit,
    Market,
    OutsideOption,
    Prominence,
    Regulator,
)
from ludens.envs.pricing.theory.benchmarks import monopoly_prices, nash_prices
from ludens.envs.pricing.theory.entry import without_firm
from ludens.errors import UsageError
from ludens.experiments import Run, resume
from ludens.experiments.pricing.history import histories
from ludens.experiments.pricing.study import play_pricing
from tests.loopback import Loopback, failing, say


def model(server, **settings):
    return {"spec": "openai/loopback", "api_base": server.url, "retry_wait": 0.01} | settings


def user(request):
    return request["messages"][1]["content"]


def slots(price, message=""):
    return f"OBSERVATIONS: o\nPLANS: p\nINSIGHTS: i\nMESSAGE: {message}\nPRICE: {price}"


def test_messages_are_read_before_the_next_price_and_may_not_be_too_long(tmp_path):
    said = [say(slots(1.5, "Peace?")), say(slots(1.6, "x" * 41)), say(slots(1.6))]
    with Loopback(said) as one, Loopback([], say(slots(1.7, "As you like."))) as two:
        run = play_pricing(
            [model(one), model(two)], periods=2, interventions=[CheapTalk(limit=40)], path=tmp_path / "run.db"
        )
    first, second, again = one.requests
    assert "MESSAGES of the last period, which all firms can read\n(none)" in user(first)
    assert "at most 40 characters" in user(first)
    assert all(
        "Messages bind nobody: whatever a firm wrote, it may charge any price." in user(each)
        for each in (first, second)
    )
    assert "- you: Peace?\n- competitor: As you like.\n" in user(second)
    assert "The message has 41 characters; it may have 40 at most." in again["messages"][-1]["content"]
    assert "- competitor: Peace?\n- you: As you like.\n" in user(two.requests[1])
    assert run.decisions(0)[1].decision.notes["message"] == "As you like."
    assert histories(run)[0].prices.tolist() == [[1.5, 1.7], [1.6, 1.7]]


def test_firms_that_come_and_go_are_asked_only_while_they_are_there(tmp_path):
    market = Market.symmetric(3, quantity_scale=100.0)
    events = [Entrant(period=3, firm=2), Exit(period=5, firm=1)]
    with Loopback([], say(slots(1.6))) as server:
        run = play_pricing(
            [model(server), "nash", "monopoly"], market=market, periods=6, interventions=events,
            path=tmp_path / "run.db",
        )  # fmt: skip
    (history,) = histories(run)
    two, three = Market.symmetric(2), Market.symmetric(3)
    expected = [nash_prices(two)[0]] * 2 + [nash_prices(three)[0]] * 2 + [np.nan] * 2
    assert history.prices[:, 1] == pytest.approx(np.array(expected), nan_ok=True)
    expected = [np.nan] * 2 + [monopoly_prices(three)[0]] * 2 + [monopoly_prices(two)[0]] * 2
    assert history.prices[:, 2] == pytest.approx(np.array(expected), nan_ok=True)
    assert np.isnan(history.profits[:2, 2]).all()
    before, after, left = (user(server.requests[period]) for period in (1, 2, 5))
    assert "One other firm" in before
    assert "competitor 2" not in before
    assert "firm_" not in before + after + left
    assert "- Competitor 2 has been in the market since period 3; before, it was not." in after
    assert "2 other firms" in after
    assert re.search(r"\n2 \| 1\.6 \| 1\.47293 \| - \|", after)
    assert "- Competitor 1 has left the market: period 4 was its last." in left
    assert "One other firm" in left


def test_fines_are_told_and_paid_and_scale_with_money(tmp_path):
    regulator = Regulator(threshold=1.8, fine=5.0)
    with Loopback([], say("PRICE: 19")) as server:
        run = play_pricing(
            [model(server), "nash"],
            periods=2,
            scales=(10,),
            interventions=[regulator],
            path=tmp_path / "run.db",
        )
    (history,) = histories(run)
    plain = history.market.profits(history.prices)
    assert history.profits == pytest.approx(plain - np.array([50.0, 0.0]))
    assert "charges more than 18; the fine is 50" in user(server.requests[0])
    assert "- In period 1 the regulator fined your firm: it paid 50." in user(server.requests[1])
    assert "| your profit, less fines | fine you paid\n1 | 19 |" in user(server.requests[1])
    assert re.search(r"\n1 \| 19 \| 14\.7293 \| [\d.]+ \| -?[\d.]+ \| 50\n", user(server.requests[1]))
    assert history.episode.payoffs["firm_0"] == pytest.approx(history.profits[:, 0].sum())


def test_shocks_and_steering_change_what_is_sold(tmp_path):
    events = [DemandShock(period=2, qualities=0.5, announced=True), Prominence(shown=1, period=3)]
    run = play_pricing(["fixed:1.5", "fixed:1.6"], periods=3, interventions=events, path=tmp_path / "run.db")
    (history,) = histories(run)
    market = Market.symmetric(quantity_scale=100.0)
    better = Market.symmetric(quality=2.5, quantity_scale=100.0)
    assert history.quantities[0] == pytest.approx(market.quantities([1.5, 1.6]))
    assert history.quantities[1] == pytest.approx(better.quantities([1.5, 1.6]))
    assert history.quantities[2] == pytest.approx([without_firm(better, 1).quantities([1.5])[0], 0.0])


def test_chance_in_the_market_is_the_same_after_a_break_and_at_every_concurrency(tmp_path):
    events = [OutsideOption((-0.25, 0.25)), Regulator(1.5, 1.0, probability=0.5), CheapTalk()]
    common = {"periods": 6, "runs": 3, "seed": 9, "interventions": events}
    with Loopback([], say(slots(1.6, "hello"))) as server:
        whole = play_pricing([model(server), "nash"], path=tmp_path / "whole.db", concurrency=3, **common)
        server.script = [None] * server.count + [say(slots(1.6, "hello"))] * 8 + [failing(500)]
        broken = tmp_path / "broken.db"
        with pytest.raises(Exception, match="gave no reply"):
            play_pricing([model(server, transport_retries=0), "nash"], path=broken, concurrency=1, **common)
        run = resume(broken)
    assert run.final_table() == whole.final_table()
    for found, expected in zip(histories(Run(broken)), histories(whole), strict=True):
        assert found.profits.tolist() == expected.profits.tolist()
    assert len({history.quantities[0, 0] for history in histories(whole)}) == 2


def test_interventions_may_be_named_as_a_file_names_them_and_must_fit(tmp_path):
    named = [{"kind": "Exit", "period": 2, "firm": 1}]
    run = play_pricing(["nash", "nash"], periods=2, interventions=named, path=tmp_path / "run.db")
    assert run.manifest["config"]["interventions"] == named
    with pytest.raises(UsageError, match="of a firm that the market does not have"):
        play_pricing(["nash", "nash"], interventions=[Exit(period=2, firm=5)], path=tmp_path / "x.db")
    assert not (tmp_path / "x.db").exists()


def fined_view():
    env = BertrandEnv(
        Market.symmetric(), actions="continuous", interventions=[Regulator(1.7, 0.5), CheapTalk()]
    )
    env.reset(seed=0)
    env.step({"firm_0": 1.8, "firm_1": 1.5})
    env.step({"firm_0": 1.6, "firm_1": 1.5})
    return market_view(env.turn("firm_0")), market_view(env.turn("firm_1")), env


def test_each_firm_reads_its_own_fines_in_every_later_period():
    payer, other, env = fined_view()
    assert payer.fines.tolist() == [0.5, 0]
    assert other.fines.tolist() == [0, 0]
    prompt = render_price_turn(payer, PricePromptOptions(layout="compact"), "slots").messages[1]["content"]
    assert "quantity you sold, your profit less fines, fine you paid." in prompt
    profit = env.profits[0, 0]
    assert re.search(
        rf"\n1: 1\.8, 1\.5, [\d.]+, {profit:.3g}\d*, 0\.5\n2: 1\.6, 1\.5, [\d.]+, [\d.]+, 0\n", prompt
    )
    assert "after a fine of 0.5." in market_words(env.turn("firm_0"))
    assert "fine of" not in market_words(env.turn("firm_1")).split("Period 1")[1]


def test_without_a_regulator_no_prompt_speaks_of_fines():
    env = BertrandEnv(Market.symmetric(), actions="continuous")
    env.reset(seed=0)
    env.step({"firm_0": 1.8, "firm_1": 1.5})
    view = market_view(env.turn("firm_0"))
    assert view.fines is None
    for layout in ("full", "compact"):
        prompt = render_price_turn(view, PricePromptOptions(layout=layout), "slots").messages[1]["content"]
        assert "fine" not in prompt


def test_everybody_who_may_write_reads_that_messages_bind_nobody():
    payer, _, env = fined_view()
    for layout in ("full", "compact"):
        prompt = render_price_turn(payer, PricePromptOptions(layout=layout), "json").messages[1]["content"]
        assert prompt.count("Messages bind nobody") == 1
    assert "Messages bind nobody" in market_words(env.turn("firm_1"))
