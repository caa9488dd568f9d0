"""Runs of a pricing market: what firms do is kept as it was, and is what the market says."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ludens.agents import make_policy
from ludens.agents.policy import Decision, Policy
from ludens.envs.pricing import Market
from ludens.envs.pricing.theory.benchmarks import price_grid
from ludens.errors import LudensError, UsageError
from ludens.experiments import Run, resume
from ludens.experiments.pricing.history import histories
from ludens.experiments.pricing.study import play_pricing
from tests.loopback import Loopback, failing, refusing, say, together


def model(server, **settings):
    return {"spec": "openai/loopback", "api_base": server.url, "retry_wait": 0.01} | settings


def slots(price, plans="hold", insights="calm"):
    return f"OBSERVATIONS: seen\nPLANS: {plans}\nINSIGHTS: {insights}\nPRICE: {price}"


def user(request):
    return request["messages"][1]["content"]


def period_of(request):
    return int(re.findall(r"Reply now for period (\d+)", user(request))[-1])


class Recording(Policy):
    """Charges what it is told to, and keeps the turns that it saw."""

    name = "recording"

    def __init__(self, price=1.5, fails_at=None):
        self.price = price
        self.fails_at = fails_at
        self.turns = []

    def decide(self, turn, rng):
        if turn.round == self.fails_at:
            raise UsageError("It broke.")
        self.turns.append(turn)
        return Decision(self.price + 0.01 * turn.round, notes={"plans": f"after {turn.round}"})


def test_prices_quantities_and_profits_are_the_markets(tmp_path):
    market = Market([2.0, 2.2, 1.9], [1.0, 1.1, 0.9], quantity_scale=100.0)
    run = play_pricing(
        ["random", "myopic", "fixed:1.6"], market=market, scales=(1, 3.2), runs=2, periods=6,
        path=tmp_path / "run.db", seed=4,
    )  # fmt: skip
    found = histories(run)
    assert [history.episode.labels["scale"] for history in found] == [1, 1, 3.2, 3.2]
    for history in found:
        assert history.prices.shape == (6, 3)
        assert history.quantities == pytest.approx(history.market.quantities(history.prices))
        assert history.profits == pytest.approx(history.market.profits(history.prices))
        assert history.prices[:, 2] == pytest.approx(1.6 * history.market.price_scale)
        replies = [history.market.best_response(1, prices)[1] for prices in history.prices[:-1]]
        assert history.prices[1:, 1] == pytest.approx(np.array(replies))
        total = dict(zip(("firm_0", "firm_1", "firm_2"), history.profits.sum(axis=0), strict=True))
        assert history.episode.payoffs == pytest.approx(total)
    assert len({history.prices[0, 0] for history in found}) == 4


def test_the_same_seed_gives_the_same_run_at_every_concurrency(tmp_path):
    tables = [
        play_pricing(
            ["random", "grim"], periods=5, runs=6, seed=seed, path=tmp_path / f"{n}.db", concurrency=n
        ).final_table()
        for n, seed in ((1, 2), (5, 2), (3, 7))
    ]
    assert tables[0] == tables[1] != tables[2]


def test_a_firm_sees_all_prices_of_the_past_and_nothing_of_the_present(tmp_path):
    first, second = Recording(1.5), Recording(1.8)
    play_pricing([first, second], periods=4, path=tmp_path / "run.db", market=Market.symmetric())
    market = Market.symmetric()
    for firm, other in ((first, second), (second, first)):
        assert [turn.round for turn in firm.turns] == [0, 1, 2, 3]
        for turn in firm.turns:
            facts = turn.facts
            charged = [(first.price + 0.01 * t, second.price + 0.01 * t) for t in range(turn.round)]
            assert facts["prices"] == pytest.approx(np.array(charged).reshape(-1, 2))
            place = int(turn.agent[-1])
            assert len(facts["own_profits"]) == turn.round
            if charged:
                assert facts["own_quantities"] == pytest.approx(market.quantities(charged)[:, place])
                assert facts["own_profits"] == pytest.approx(market.profits(charged)[:, place])
        assert other is not firm


def test_a_firms_own_notes_come_back_to_it_and_only_the_last_ones(tmp_path):
    firms = [Recording(1.5), Recording(1.8)]
    play_pricing(firms, periods=3, path=tmp_path / "run.db")
    for firm in firms:
        assert [turn.facts["notes"] for turn in firm.turns] == [
            {}, {"plans": "after 0"}, {"plans": "after 1"},
        ]  # fmt: skip


def test_notes_reach_the_next_prompt_and_are_overwritten(tmp_path):
    def answer(request):
        return say(slots(1.7, f"plan made in {period_of(request)}", f"insight of {period_of(request)}"))

    with Loopback([], answer) as server:
        run = play_pricing([model(server), "nash"], periods=3, path=tmp_path / "run.db")
    first, second, third = map(user, server.requests)
    assert "plan made" not in first
    assert "plan made in 1" in second
    assert "insight of 1" in second
    assert "plan made in 2" in third
    assert "made in 1" not in third
    assert "insight of 1" not in third
    assert run.decisions(0)[0].decision.notes["plans"] == "plan made in 1"


def test_both_firms_of_a_period_are_asked_at_once_and_episodes_side_by_side(tmp_path):
    with Loopback([], say(slots(1.7), heard=together(6))) as server:
        play_pricing([model(server)] * 2, periods=1, runs=3, path=tmp_path / "run.db", concurrency=3)
        assert server.most_at_once == 6
    with Loopback([], say(slots(1.7), heard=together(2))) as server:
        play_pricing([model(server)] * 2, periods=2, path=tmp_path / "other.db", concurrency=1)
        assert server.most_at_once == 2


def test_the_ceiling_is_drawn_for_each_run_and_stated_and_binds_nobody(tmp_path):
    with Loopback([], say(slots(9.5))) as server:
        run = play_pricing(
            [model(server), "nash"], periods=1, runs=30, scales=(1, 10), seed=1, path=tmp_path / "run.db"
        )
    labels = [episode.labels for episode in run.episodes()]
    factors = np.array([each["ceiling"] / each["scale"] / 1.924981 for each in labels])
    assert 1.49 < factors.min() < 1.65
    assert 2.35 < factors.max() < 2.51
    assert len(set(factors)) > 50
    stated = {float(re.search(r"above a price of ([\d.]+)\.\n", user(each))[1]) for each in server.requests}
    assert stated == {each["ceiling"] for each in labels}
    assert all(history.prices[0, 0] == 9.5 for history in histories(run))
    none = play_pricing(["nash"], periods=1, ceiling=None, path=tmp_path / "none.db")
    assert none.episodes()[0].labels["ceiling"] is None


def test_a_firm_without_a_price_aborts_its_episode_and_the_others_go_on(tmp_path):
    same = {"runs": 3, "seed": 3, "concurrency": 2}
    other = play_pricing(["nash", "nash"], periods=1, path=tmp_path / "other.db", **same)
    ceiling = other.episodes()[1].labels["ceiling"]

    def answer(request):
        bad = f"above a price of {ceiling}." in user(request) and period_of(request) == 3
        return say("free") if bad else say(slots(1.7))

    with Loopback([], answer) as server:
        run = play_pricing([model(server), "nash"], periods=4, path=tmp_path / "run.db", **same)
    assert server.count == 4 + 4 + (2 + 10)
    assert run.manifest["status"] == "done"
    assert [episode.status for episode in run.episodes()] == ["done", "aborted", "done"]
    (ended,) = [episode for episode in run.episodes() if episode.status == "aborted"]
    assert "openai/loopback as firm_0 gave no usable decision" in ended.detail
    assert "round 3 (invalid): " in ended.detail
    assert ended.payoffs == {"firm_0": None, "firm_1": None}
    history = histories(run)[1]
    assert history.prices.shape == (2, 2)
    assert history.decisions[2, 0].status == "invalid"
    assert len(history.decisions[2, 0].calls) == 10
    assert "aborted" in run.final_table()
    # It is over: nothing is asked again.
    assert resume(run.path).final_table() == run.final_table()


def test_a_refusal_ends_the_episode_at_once(tmp_path):
    with Loopback([say(slots(1.7)), refusing()], say(slots(1.7))) as server:
        run = play_pricing([model(server), "nash"], periods=3, path=tmp_path / "run.db")
    assert server.count == 2
    (episode,) = run.episodes()
    assert episode.status == "aborted"
    assert "(refused)" in episode.detail
    assert run.summary().decisions["refused"] == 1


def test_a_provider_that_is_down_stops_the_run_and_resume_goes_on(tmp_path):
    path = tmp_path / "run.db"
    with Loopback([say(slots(1.5)), failing(500)], say(slots(1.7))) as server:
        given = model(server, transport_retries=0)
        with pytest.raises(LudensError, match="gave no reply at"):
            play_pricing([given, "nash"], periods=3, path=path)
        assert Run(path).manifest["status"] == "failed"
        run = resume(path)
    assert [episode.status for episode in run.episodes()] == ["done"]
    assert histories(run)[0].prices[:, 0].tolist() == [1.5, 1.7, 1.7]
    assert server.count == 4
    outcomes = [call.outcome for record in run.decisions() for call in record.decision.calls]
    assert outcomes == ["ok", "ok", "ok"]


def test_several_models_prefixes_and_oracles_meet_in_one_market(tmp_path):
    with Loopback([], say(slots(1.6))) as one, Loopback([], say(slots(1.8))) as two:
        firms = [model(one, prefix="P3"), model(two, persona="homo_moralis"), "homo_moralis:0.5"]
        run = play_pricing(firms, periods=2, prefix="P1", path=tmp_path / "run.db")
    assert histories(run)[0].prices[:, :2].tolist() == [[1.6, 1.8]] * 2
    assert "sooner" in user(one.requests[0])
    assert "sooner" not in user(two.requests[0])
    assert "profitability suffer" in user(two.requests[0])
    assert "2 other firms" in user(one.requests[0])
    assert {prompt["framing"] for prompt in run.manifest["prompts"]} == {"P3", "P1"}


def test_what_the_file_cannot_describe_must_be_given_again(tmp_path):
    path = tmp_path / "run.db"
    with pytest.raises(UsageError, match=r"It broke\."):
        play_pricing([Recording(fails_at=2), "nash"], periods=4, path=path)
    with pytest.raises(
        UsageError,
        match=r"^pricing\.firms\[0\]: the policy 'recording' was a Python object, .* go on from Python",
    ):
        resume(path)
    again = Recording()
    run = resume(path, firms=[again, "nash"])
    assert [turn.round for turn in again.turns] == [2, 3]
    assert histories(run)[0].prices[:, 0] == pytest.approx([1.5, 1.51, 1.52, 1.53])


def test_q_learners_meet_models_and_are_made_again_on_resume(tmp_path):
    path = tmp_path / "run.db"
    spec = {"spec": "qlearning", "mode": "trained", "points": 5, "window": 500, "beta": 1e-3}
    online = {"spec": "qlearning", "mode": "online", "points": 5}
    with Loopback([say(slots(1.5)), failing(500)], say(slots(1.7))) as server:
        firms = [model(server, transport_retries=0), spec, online]
        with pytest.raises(LudensError, match="gave no reply at"):
            play_pricing(firms, periods=4, path=path, scales=(3.2,))
        run = resume(path)
    with Loopback([], say(slots(1.7))) as server:
        server.script = [say(slots(1.5))]
        whole = play_pricing(
            [model(server), spec, online], periods=4, path=tmp_path / "whole.db", scales=(3.2,)
        )
    (found,), (expected,) = histories(run), histories(whole)
    assert found.prices.tolist() == expected.prices.tolist()
    grid = price_grid(found.market, 5)
    assert np.abs(found.prices[:, 1:, None] - grid).min(axis=-1).max() < 1e-9


def test_periods_are_told_as_they_are_played(tmp_path):
    news, progress = [], []
    play_pricing(
        ["nash", "monopoly"], periods=3, runs=2, path=tmp_path / "run.db", concurrency=1,
        on_period=news.append, progress=progress.append,
    )  # fmt: skip
    assert [(each.episode, each.period, each.periods) for each in news] == [
        (episode, period, 3) for episode in range(2) for period in range(3)
    ]
    assert news[0].prices == pytest.approx({"firm_0": 1.472927, "firm_1": 1.924981}, abs=1e-6)
    assert progress[-1].done == progress[-1].total == 2
    assert progress[-1].decisions == 12


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"firms": ["nash", "grim", "myopic"], "market": Market.symmetric(2)}, "2 firms and 3 were named"),
        ({"firms": ["nsh", "nash"]}, "no policy 'nsh'"),
        ({"periods": 0}, "number of periods is a whole number of at least 1; got 0"),
        ({"runs": 1.5}, "number of runs"),
        ({"concurrency": 0}, "The concurrency is a whole number of at least 1; got 0"),
        ({"scales": []}, "Price scales are numbers above 0"),
        ({"scales": [1, -1]}, "Price scales are numbers above 0"),
        ({"discount": 1}, r"lies in \[0, 1\)"),
        ({"ceiling": (2, 1)}, "A ceiling is an interval"),
        ({"prefix": "P9"}, "no prefix 'P9'"),
        ({"seed": -1}, "A seed is"),
        ({"interventions": ["tax"]}, "'tax' is not an intervention; there are CheapTalk"),
        (
            {"market": Market([2, 2, 2], [1, 1, 1], owners=[0, 0, 1]), "price_grid": 5},
            "one product each",
        ),
    ],
)
def test_wrong_input_is_a_sentence_and_leaves_no_file(tmp_path, given, why):
    path = tmp_path / "run.db"
    with pytest.raises(UsageError, match=why):
        play_pricing(**{"firms": ["nash", "nash"], "path": path} | given)
    assert list(tmp_path.iterdir()) == []


def test_a_firm_of_ones_own_that_charges_no_price_is_a_sentence(tmp_path):
    class Wild(Recording):
        def decide(self, turn, rng):
            return Decision(-1.0)

    with pytest.raises(UsageError, match="-1"):
        play_pricing([Wild(), "nash"], periods=2, path=tmp_path / "run.db")


def test_one_name_is_for_all_firms(tmp_path):
    run = play_pricing(["nash"], market=Market.symmetric(3), periods=1, path=tmp_path / "run.db")
    assert run.episodes()[0].labels["firms"] == ["nash"] * 3
    assert make_policy("nash", "bertrand").name == "nash"
