"""What runs reveal: known preferences come back, what choices do not tell has no number, and nothing is
imputed.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re

import numpy as np
import pytest
from rich.console import Console

from ludens.agents.registry import make_policy
from ludens.agents.tree.oracle import QuantalPolicy
from ludens.envs import PROTOCOLS
from ludens.errors import UsageError
from ludens.experiments import bench, play
from ludens.experiments.bench.result import to_json
from ludens.experiments.bench.tables import tables
from ludens.experiments.bench.terminal import print_summary
from ludens.experiments.estimates import EstimateRequest, bench_answers, estimate, reveal
from ludens.experiments.estimates.answers import as_choices, run_answers, together
from ludens.experiments.estimates.estimate import compare_policies
from ludens.experiments.estimates.figures import parameters, save_figure
from ludens.experiments.estimates.layout import print_table, to_csv, to_latex
from ludens.experiments.estimates.revealed import NO_ANSWERS, NO_NOISE, NO_REACTION, RANGE
from ludens.experiments.estimates.table import Column, EstimateTable, Value, as_json, of_policies, people
from ludens.experiments.runs.run import Run
from ludens.preferences import HOMO_ECONOMICUS
from ludens.preferences.estimation import find_model
from tests.experiments.synthetic import answers, believed, cooperative, worded
from tests.loopback import Loopback, weighing

FRAMINGS = ("neutral", "story", "twin")
NASTY = "a\n& b_c $x$ 100% \\input{x} [bold]"


def of_policy(spec, **settings):
    (found,) = bench_answers(answers(make_policy(spec), spec), **settings)
    return found


def of_rule(rule, **settings):
    (found,) = bench_answers(worded(rule, framings=FRAMINGS, **settings))
    return found


def printed(table, width=80):
    out = io.StringIO()
    print_table(table, Console(file=out, width=width))
    return out.getvalue()


def holds(estimate, truth):
    return estimate.low <= truth <= estimate.high


def ends(estimate):
    return (
        -math.inf if estimate.low is None else estimate.low,
        math.inf if estimate.high is None else estimate.high,
    )


@pytest.mark.parametrize(
    ("spec", "truth"),
    [
        ("quantal:kappa=0.5,noise=8", (0, 0, 0.5, 8)),
        ("quantal:kappa=0,noise=8", (0, 0, 0, 8)),
        ("quantal:alpha=0.3,beta=0.2,kappa=0.2,noise=8", (0.3, 0.2, 0.2, 8)),
        ("quantal:alpha=0.1,beta=0.4,kappa=0.7,noise=4", (0.1, 0.4, 0.7, 4)),
    ],
)
def test_noisy_maximisers_get_their_preferences_back(spec, truth):
    found = reveal(of_policy(spec))
    for parameter, value in zip(found.parameters.values(), truth, strict=True):
        assert parameter.value == pytest.approx(value, abs=1e-4)
        assert holds(parameter, value)
    assert found.reason == ""
    assert (found.fit.size, found.fit.clusters) == (42, 18)


def test_sampled_answers_of_a_homo_moralis_with_noise_tell_kappa():
    policy = make_policy("quantal:kappa=0.5,noise=8")
    rng = np.random.default_rng(0)

    def rule(turn, framing, order):
        return policy.decide(turn, rng).action

    found = reveal(of_rule(rule, replicates=10))
    assert not found.answers.exact
    assert found.fit.size == 42 * 6 * 10
    assert all(holds(found.parameters[name], truth) for name, truth in (("kappa", 0.5), ("noise", 8)))
    assert found.parameters["kappa"].high - found.parameters["kappa"].low < 1


def test_the_interval_of_exact_answers_is_how_far_the_model_misses_them():
    found = reveal(of_policy("quantal:kappa=0.5,noise=8"))
    for parameter in found.parameters.values():
        assert parameter.low <= parameter.value <= parameter.high
        assert parameter.high - parameter.low < 1e-3
    policy = make_policy("quantal:kappa=0.5,noise=8")

    def missed_by(size):
        rng = np.random.default_rng(2)

        def rule(turn, framing, order):
            shares = np.array(policy.decide(turn, rng).probabilities)
            shares = shares * np.exp(rng.normal(0, size, len(turn.options)))
            return tuple(shares / shares.sum())

        kappa = reveal(of_rule(rule)).parameters["kappa"]
        return kappa.high - kappa.low

    assert 0.001 < missed_by(0.03) < 0.3 * missed_by(0.3) < 0.3


def test_one_strategy_per_game_counts_once_however_often_it_is_asked():
    """Six prompts about a game that are answered alike say no more than one of them."""
    policy = make_policy("quantal:kappa=0.5,noise=8")
    plans = {}

    def keeping(turn, framing, order):
        rng = np.random.default_rng(len(plans))
        return plans.setdefault((turn.game.protocol, turn.node), policy.decide(turn, rng).action)

    once, often = reveal(of_rule(keeping)), reveal(of_rule(keeping, replicates=20))
    for name, parameter in once.parameters.items():
        assert ends(parameter) == pytest.approx(ends(often.parameters[name]), rel=0.1, abs=0.02)


def test_a_liking_for_the_first_place_is_no_preference():
    """Neither exactly, nor with leanings that differ from question to question."""
    rng = np.random.default_rng(1)

    def leaning(turn, framing, order):
        share = 0.85 + rng.normal(0, 0.03) if order == 0 else 0.15 + rng.normal(0, 0.03)
        return share, 1 - share

    for answered in (of_rule(lambda turn, framing, order: order), of_rule(leaning)):
        found = reveal(answered)
        assert found.reason == NO_REACTION
        assert all(parameter.value is None for parameter in found.parameters.values())
        assert all(NO_REACTION in parameter.note for parameter in found.parameters.values())
        assert np.isnan(found.fit.values).all()


def test_a_bias_on_top_of_preferences_leaves_them_recognisable():
    policy = make_policy("quantal:kappa=0.5,noise=8")

    def rule(turn, framing, order):
        shares = np.array(policy.decide(turn, np.random.default_rng(0)).probabilities)
        shares = shares * np.exp([0.5, -0.5] if order == 0 else [-0.5, 0.5])
        return tuple(shares / shares.sum())

    answered = of_rule(rule)
    found = reveal(answered)
    assert found.reason == ""
    assert found.parameters["kappa"].value == pytest.approx(0.5, abs=0.15)
    # As a utility of the first place it is told exactly, and leaves the preferences alone.
    values = [found.parameters[name].value for name in ("kappa", "noise")]
    assert values == pytest.approx([0.5, 8], abs=1e-3)
    assert found.lapses["bias"].value == pytest.approx(1, abs=1e-3)
    assert holds(found.parameters["kappa"], 0.5)
    assert found.lapses["first"].value > 0.1
    held = reveal(answered, fix={"bias": 1}, ratios=False)
    assert held.parameters["kappa"].value == pytest.approx(0.5, abs=1e-3)
    assert held.lapses["bias"].note == "held at this value"


@pytest.mark.parametrize("share", [0, 0.1, 0.3, 0.5])
def test_a_share_of_first_places_is_estimated_beside_preferences(share):
    """It does not cancel over the orders: left out of account, it attenuates what is revealed."""
    policy = make_policy("quantal:kappa=0.5,noise=8")
    rng = np.random.default_rng(1)

    def exact(turn, framing, order):
        shares = np.array(policy.decide(turn, rng).probabilities) * (1 - share)
        shares[order % len(shares)] += share
        return tuple(shares)

    def sampled(turn, framing, order):
        first = order % len(turn.options)
        return first if rng.random() < share else policy.decide(turn, rng).action

    found = reveal(of_rule(exact))
    assert found.lapses["first"].value == pytest.approx(share, abs=1e-4)
    assert found.parameters["kappa"].value == pytest.approx(0.5, abs=1e-4)
    assert found.parameters["noise"].value == pytest.approx(8, abs=1e-3)
    found = reveal(of_rule(sampled, replicates=10))
    assert holds(found.lapses["first"], share)
    assert found.lapses["first"].high - found.lapses["first"].low < 0.15
    assert holds(found.parameters["kappa"], 0.5)
    assert holds(found.parameters["noise"], 8)
    if share == 0.3:
        attenuated = reveal(of_rule(exact), fix={"first": 0})
        assert attenuated.parameters["noise"].value > 12
        assert not holds(attenuated.parameters["noise"], 8)


def test_trembles_are_estimated_on_request():
    policy = make_policy("quantal:kappa=0.5,noise=8")
    rng = np.random.default_rng(0)

    def rule(turn, framing, order):
        shares = 0.7 * np.array(policy.decide(turn, rng).probabilities) + 0.2 / len(turn.options)
        shares[order % len(shares)] += 0.1
        return tuple(shares)

    found = reveal(of_rule(rule), trembles=True)
    assert found.lapses["first"].value == pytest.approx(0.1, abs=1e-3)
    assert found.lapses["tremble"].value == pytest.approx(0.2, abs=1e-3)
    assert found.parameters["kappa"].value == pytest.approx(0.5, abs=1e-3)


def test_a_policy_of_chance_has_a_share_of_first_places_too():
    found = reveal(of_rule(lambda turn, framing, order: (0.8, 0.2) if order == 0 else (0.2, 0.8)))
    assert found.reason == NO_REACTION
    assert found.lapses["first"].value == pytest.approx(0.6)
    (table,) = [of_policies([found])]
    assert next(
        value for value in table.columns[0].values if value.name == "first"
    ).estimate == pytest.approx(0.6)


def test_players_without_noise_and_players_of_chance():
    for spec, kappa in (("homo_economicus", 0), ("homo_moralis:0.5", 0.5)):
        found = reveal(of_policy(spec))
        assert found.reason == NO_NOISE
        assert found.parameters["kappa"].value is None
        assert holds(found.parameters["kappa"], kappa)
        assert found.parameters["kappa"].method == RANGE
        assert found.parameters["noise"].high == 0
    alone = reveal(of_policy("homo_moralis:0.5"), fix={"alpha": 0, "beta": 0}).parameters["kappa"]
    assert (alone.low, alone.high) == pytest.approx((0.45, 0.78), abs=0.01)
    assert reveal(of_policy("random")).reason == NO_REACTION


def test_what_is_held_keeps_its_value_where_nothing_else_is_known():
    found = reveal(of_policy("random"), fix={"kappa": 0.2})
    assert found.reason == NO_REACTION
    assert found.parameters["kappa"].value == 0.2
    assert found.parameters["alpha"].value is None
    assert "kappa" not in found.fit.warnings[0].parameters


def test_unreadable_answers_are_counted_and_never_used():
    def rule(turn, framing, order):
        if turn.game.protocol == "UG2" and order:
            return None
        return cooperative(turn, 0.8 if turn.node == "opening" else 0.4)

    answered = of_rule(rule)
    assert (answered.invalid, answered.refused) == (2 * 3, 0)
    assert answered.left_out == 2 * 3  # their counterparts in the other order
    assert not any(entry.game == PROTOCOLS["UG2"] for entry in answered.seen)
    silent = reveal(of_rule(lambda turn, framing, order: None))
    assert silent.reason == NO_ANSWERS
    assert all(parameter.value is None for parameter in silent.parameters.values())


def test_answers_are_clustered_by_game():
    choices = as_choices(of_rule(lambda turn, framing, order: cooperative(turn, 0.7)), find_model("moralis"))
    assert len(choices.subjects) == len(set(choices.clusters.tolist())) == 18
    assert choices.clustered_by == "game"
    assert choices.size == pytest.approx(42 * 3 * 2)


def test_stated_beliefs_are_used_and_protocols_without_them_left_out():
    policy = make_policy("quantal:kappa=0.5,noise=8")
    records = answers(policy, "model") + believed(lambda turn: (0.8, 0.2), "model")
    (own,) = bench_answers(records, beliefs="own")
    assert {tuple(entry.belief.tolist()) for entry in own.seen} == {(0.8, 0.2) * 2, (0.8, 0.2) * 3}
    half = [record for record in records if record.question == "choice" or record.protocol.startswith("TG")]
    (own,) = bench_answers(half, beliefs="own")
    assert {entry.game.protocol for entry in own.seen} == {f"TG{number}" for number in range(1, 7)}
    assert own.left_out == 30
    (own,) = bench_answers(records[:1], beliefs="own")
    assert reveal(own, beliefs="own").reason == "not estimated: it stated no beliefs"


def test_a_benchmark_holds_the_estimates(tmp_path):
    result = bench(["quantal:kappa=0.5,noise=8"], path=tmp_path / "run.db")
    found = result.measures[0].revealed[0]
    assert found.parameters["kappa"].value == pytest.approx(0.5, abs=1e-4)
    rows = {(row["policy"], row["measure"]): row for row in _rows(result)}
    assert rows[result.models[0], "preferences_kappa"]["value"] == found.parameters["kappa"].value
    assert rows["random", "preferences_kappa"]["value"] is None
    assert result.table[0]["kappa"] == found.parameters["kappa"]
    (table,) = estimate(tmp_path / "run.db", EstimateRequest())
    assert table.columns[0].values[2].estimate == pytest.approx(0.5, abs=1e-4)
    page = result.report_path.read_text(encoding="utf-8")
    assert "Revealed preferences, uniform beliefs" in page
    assert "their tables are not available" in page


def test_models_of_a_benchmark_are_compared(tmp_path):
    models = ["quantal:kappa=0.5,noise=8", "quantal:kappa=0.2,noise=5"]
    protocols = ("SPD1", "SPD3", "SPD5", "TG1", "TG3", "TG5", "UG1", "UG3", "UG5")
    result = bench(models, path=tmp_path / "run.db", protocols=protocols)
    (apart,) = [table for table in tables(result) if table.title.startswith("Differences")]
    assert [cell.text for cell in apart.rows[0]][:4] == ["0.00", "0.00", "0.30", "3.00"]
    (gap,) = result.differences
    assert (gap.policy, gap.other, gap.beliefs, gap.test.restrictions) == (*models, "uniform", 4)
    (found,) = to_json(result)["differences"]
    assert found["differences"]["kappa"]["estimate"] == pytest.approx(0.3)
    rows = [row for row in _rows(result) if row["other"] == models[1]]
    assert {(row["policy"], row["measure"], row["beliefs"]) for row in rows} >= {
        (models[0], "difference_kappa", "uniform"),
        (models[0], "difference_noise", "uniform"),
    }
    out = io.StringIO()
    print_summary(result, Console(file=out, width=80))
    assert re.search(r"differences +α +β +κ +λ", out.getvalue())
    assert "0.30 … 0.30  3.0 … 3.0" in out.getvalue()
    one = bench(models[:1], path=tmp_path / "one.db", protocols=protocols[:3])
    assert one.differences == ()
    assert to_json(one)["differences"] == []
    assert not any(table.title.startswith("Differences") for table in tables(one))


def test_policies_of_one_run_are_compared(tmp_path):
    models = ["quantal:kappa=0.5,noise=8", "quantal:kappa=0.2,noise=5"]
    protocols = ("SPD1", "SPD3", "SPD5", "TG1", "TG3", "TG5", "UG1", "UG3", "UG5")
    bench(models, path=tmp_path / "run.db", protocols=protocols)
    table = compare_policies(tmp_path / "run.db", EstimateRequest())
    column = next(one for one in table.columns if one.title == " − ".join(models))
    assert [value.estimate for value in column.values] == pytest.approx([0, 0, 0.3, 3], abs=1e-3)
    # Without a reaction to payoffs there is nothing to compare.
    unknown = next(one for one in table.columns if one.title.endswith("− random"))
    assert all(math.isnan(value.estimate) for value in unknown.values)
    assert "quantal κ=0.5, λ=8 − quantal κ=0.2, λ=5, all parameters are equal: F(4, 8) = " in table.notes[0]
    assert all(len(fact.numbers) == len(table.columns) for fact in table.facts)
    assert "κ=0.5, λ=8 −" in printed(table)
    for wrong in ({"by": "pooled"}, {"types": 2}, {"test": {"kappa": 0}}, {"beliefs": "all"}):
        with pytest.raises(UsageError, match="Policies are compared"):
            compare_policies(tmp_path / "run.db", EstimateRequest(**wrong))


def test_a_first_policy_without_numbers_leaves_the_differences_of_the_others(tmp_path):
    models = ["random", *(f"quantal:kappa={kappa},noise=8" for kappa in (0.1, 0.3, 0.5, 0.7))]
    protocols = ("SPD1", "SPD3", "SPD5", "TG1", "TG3", "TG5", "UG1", "UG3", "UG5")
    found = bench(models, path=tmp_path / "run.db", protocols=protocols).differences
    assert [gap.other for gap in found] == [*models[2:], "random"]
    assert found[0].gaps["kappa"].estimate == pytest.approx(-0.2, abs=1e-3)
    assert found[-1].estimate("kappa").note == "not identified in both"


def test_policies_share_preferences_and_differ_in_noise(tmp_path):
    models = ["quantal:kappa=0.3,noise=5", "quantal:kappa=0.3,noise=10"]
    protocols = ("SPD1", "SPD3", "SPD5", "TG1", "TG3", "TG5", "UG1", "UG3", "UG5")
    bench(models, path=tmp_path / "run.db", protocols=protocols)
    (table,) = estimate(tmp_path / "run.db", EstimateRequest(noise_by="policy"))
    values = {value.name: value.estimate for value in table.parameters}
    assert [values["kappa"], values["noise"]] == pytest.approx([0.3, 5], abs=1e-3)
    (second,) = [value for name, value in values.items() if models[1] in name]
    assert second == pytest.approx(10, abs=1e-2)
    assert "noise is the same in all groups of policy: F(1, 17)" in table.notes[0]
    bench(models[:1], path=tmp_path / "one.db", protocols=protocols[:2])
    with pytest.raises(UsageError, match="two policies with usable answers"):
        estimate(tmp_path / "one.db", EstimateRequest(noise_by="policy"))
    with pytest.raises(UsageError, match="one pooled estimate"):
        estimate(tmp_path / "run.db", EstimateRequest(noise_by="policy", by="subject"))


def test_choices_are_explained_by_several_beliefs(tmp_path):
    """Parameters move with beliefs, and a policy that believes in the equilibrium is recovered there."""
    spec, protocols = "quantal:kappa=0.5,noise=8", ("SPD1", "SPD3", "SPD5", "TG1", "TG5", "UG1", "UG5")
    result = bench([spec], path=tmp_path / "run.db", protocols=protocols)
    by_beliefs = {entry.beliefs: entry for entry in result.measures[0].revealed}
    assert list(by_beliefs) == ["uniform", "equilibrium"]
    kappas = [entry.parameters["kappa"].value for entry in by_beliefs.values()]
    assert kappas[0] == pytest.approx(0.5, abs=1e-4)
    assert abs(kappas[1] - 0.5) > 0.1
    (table,) = [each for each in tables(result) if each.title == "Revealed preferences by beliefs"]
    assert [row[2].text for row in table.rows] == [f"{kappa:.2f}" for kappa in kappas]
    (shown,) = estimate(tmp_path / "run.db", EstimateRequest(beliefs="all"))
    values = {one.title: one.values[2].estimate for one in shown.columns}
    assert values[f"{spec} | equilibrium"] == pytest.approx(kappas[1], abs=1e-4)
    assert any("over these beliefs" in note for note in shown.notes)
    assert any(note.startswith("Beliefs, stated: left out.") for note in shown.notes)
    policy = QuantalPolicy(HOMO_ECONOMICUS, noise=8, belief="equilibrium")
    (found,) = bench_answers(answers(policy, "q"), beliefs="equilibrium")
    values = [one.value for one in reveal(found, ratios=False).parameters.values()]
    assert values == pytest.approx([0, 0, 0, 8], abs=1e-4)


def test_a_served_model_that_follows_letters_gets_its_row_and_no_number(tmp_path):
    with Loopback(otherwise=lambda request: weighing(A=0.6, B=0.3)) as server:
        model = {"spec": "openai/loopback", "api_base": server.url, "api_key": "none"}
        settings = {"protocols": ("SPD3", "TG3", "UG3"), "framings": ("neutral",), "elicit": "logprobs"}
        result = bench([model], path=tmp_path / "run.db", **settings)
    found = result.measures[0].revealed[0]
    assert (found.policy, found.reason, found.answers.exact) == ("openai/loopback", NO_REACTION, True)
    out = io.StringIO()
    print_summary(result, Console(file=out, width=80))
    assert "openai/loopback, random: not identified: choices do not react to payoffs." in out.getvalue()


def _rows(result):
    from ludens.experiments.bench.result import estimates

    return list(estimates(result))


@pytest.mark.parametrize("method", ["direct", "strategy"])
def test_a_play_tells_the_preferences_of_its_policies(tmp_path, method):
    policies = ["quantal:kappa=0.3,noise=10", "random"]
    run = play(
        ("trust-v0", {"protocol": "TG5", "method": method}), policies, episodes=40, path=tmp_path / "r.db"
    )
    by_policy = {found.policy: found for found in run_answers(run)}
    assert set(by_policy) == {"quantal homo moralis κ=0.3 λ=10", "random"}
    first = by_policy["quantal homo moralis κ=0.3 λ=10"]
    assert first.clustered_by == "episode"
    assert first.exact
    # One game has two nodes: it tells two shares, and four parameters of them only if three are held.
    found = reveal(first, fix={"alpha": 0, "beta": 0, "kappa": 0.3})
    assert found.parameters["noise"].value == pytest.approx(10, rel=1e-3)
    assert found.parameters["kappa"].note == "held at this value"
    with pytest.raises(UsageError, match="nobody states beliefs"):
        run_answers(run, "own")


def test_types_of_policies_and_all_together(tmp_path):
    bench(["quantal:kappa=0.5,noise=8"], path=tmp_path / "run.db")
    with Run(tmp_path / "run.db") as run:
        choices = together(run_answers(run), find_model("moralis"))
    assert choices.subjects[0].startswith("quantal:kappa=0.5")
    assert choices.clustered_by == "policy"
    (pooled,) = estimate(tmp_path / "run.db", EstimateRequest(by="pooled"))
    assert pooled.unit == "sample"
    with pytest.raises(UsageError, match="holds no stated beliefs"):
        estimate(tmp_path / "run.db", EstimateRequest(beliefs="stated"))
    with pytest.raises(UsageError, match="leave --columns out"):
        estimate(tmp_path / "run.db", EstimateRequest(columns={"subject": "sid"}))
    with pytest.raises(UsageError, match="leave --by subject out"):
        estimate(tmp_path / "run.db", EstimateRequest(types=2, by="subject"))


def table_of(*columns, unit="type", notes=()):
    made = tuple(
        Column(title, tuple(Value(name, letter, *numbers) for name, letter, *numbers in values))
        for title, values in columns
    )
    return EstimateTable("bfs", "A & B", "C_D", made, (), "standard errors", notes, unit)


def test_the_table_in_every_form():
    values = [("alpha", "α", 0.0835, 0.0148, 0.0545, 0.1125, 1e-8), ("beta", "β", math.nan)]
    table = table_of((NASTY, values), notes=(NASTY,))
    text = printed(table)
    assert "0.084" in text
    assert "(0.015)" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "***" not in text
    latex = to_latex(table, stars=True)
    assert r"0.084***" in latex
    assert r"$\alpha$" in latex
    assert r"\textbackslash{}input\{x\}" in latex
    assert r"100\%" in latex
    assert r"\caption{A \& B (C\_D)}" in latex
    assert not re.search(r"(?<!\\)[%&#_$](?!\\)", re.sub(r"\$\S+\$|^%.*$| & ", "", latex, flags=re.MULTILINE))
    rows = list(csv.DictReader(io.StringIO(to_csv([table]))))
    assert (rows[0]["column"], rows[0]["estimate"], rows[1]["estimate"]) == (NASTY, "0.0835", "")
    found = json.loads(json.dumps(as_json(table)))
    assert found["estimates"][1]["estimate"] is None


def test_latex_has_a_label_a_caption_and_numbers_aligned_at_the_point():
    values = [("alpha", "α", -0.0835, 0.0148, -0.1125, -0.0545, 1e-8), ("beta", "β", math.nan)]
    latex = to_latex(table_of(("one", values)), stars=True, label="tab:a_1".replace("_", "-"), caption="50 %")
    assert r"\label{tab:a-1}" in latex
    assert r"\caption{50 \%}" in latex
    assert r"\begin{tabular}{lD{.}{.}{-1}}" in latex
    assert " & -0.084*** " in latex  # in math mode, where a hyphen is a minus
    assert r"& \multicolumn{1}{c}{one}" in latex
    assert r"\multicolumn{1}{r}{--}" in latex
    with pytest.raises(UsageError, match="A label of LaTeX"):
        to_latex(table_of(("one", values)), label="tab{}")


def test_many_subjects_are_summed_up_and_kept_whole_in_files():
    columns = [(f"s{number}", [("alpha", "α", number / 30)]) for number in range(31)]
    columns.append(("dark", [("alpha", "α", math.nan)]))
    table = table_of(*columns, unit="subject")
    text = printed(table)
    assert re.search(r"32 subjects +identified +mean", text)
    assert re.search(r"α +31 +0.500 +0.303 +0.250 +0.500 +0.750", text)
    assert len(to_csv([table]).splitlines()) == 33


def test_figures_show_people_beside_a_model_and_words_where_nothing_is_known(tmp_path):
    columns = [("one", [("alpha", "α", 0.1, 0.02, 0.06, 0.14)]), ("two", [("alpha", "α", math.nan)])]
    figure = parameters(table_of(*columns, unit="sample"))
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert texts.count("not identified") == 1
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:2] == ["one", "two"]
    assert labels[2:] == [column.title for column in people("bfs")]
    for name in ("f.png", "f.svg"):
        assert save_figure(table_of(*columns), tmp_path / name).stat().st_size > 1000
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        save_figure(table_of(*columns), tmp_path / "f.pdf")
    many = table_of(
        *[(f"s{number}", [("alpha", "α", number / 30, 0.1, 0, 1)]) for number in range(31)], unit="subject"
    )
    assert parameters(many).axes[0].get_xlabel() == "31 of 31 identified"


def test_people_s_types_stand_beside_the_fitted_type_that_is_nearest():
    """Numbers of types say nothing: type 1 of one fit is type 2 of another."""
    order = ("type 2", "type 3", "type 1")
    published = {name: next(one for one in people("bfs") if name in one.title) for name in order}
    columns = [
        Column(f"type {place}", tuple(Value(v.name, v.name, v.estimate + 0.01) for v in one.values))
        for place, one in enumerate(published.values(), start=1)
    ]
    figure = parameters(EstimateTable("bfs", "A", "B", tuple(columns), (), "standard errors", (), "type"))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    wanted = [
        text for one, name in zip(columns, order, strict=True) for text in (one.title, published[name].title)
    ]
    assert labels == [*wanted, "people, pooled"]
    # Every group of people has its intervals.
    assert sum(len(line.get_xdata()) == 2 for line in figure.axes[1].lines) >= 4


def test_people_stand_beside_models_of_the_same_parameters_only():
    assert next(column.title for column in people("bfs")) == "people, pooled"
    assert people("moralis") == ()
    found = of_policies([reveal(of_policy("quantal:kappa=0.5,noise=8"))])
    assert any("their tables are not available" in note for note in found.notes)
    assert any("no sampling error" in note for note in found.notes)
