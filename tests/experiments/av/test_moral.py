"""Scenarios of the Moral Machine put to respondents: what is found out, bad answers, runs that go on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ludens.agents import CallablePolicy
from ludens.agents.llm.prompts.games import render
from ludens.cli import app, main
from ludens.envs import make_env
from ludens.envs.av.moral_machine.env import moral_turn
from ludens.envs.av.moral_machine.scenarios import CHARACTERS, draw_scenarios
from ludens.errors import UsageError
from ludens.experiments import extend, load, parse_study, resume
from ludens.experiments.av import MoralMachineStudy, moral_machine
from ludens.experiments.av.amce import ATTRIBUTES, PEOPLE
from ludens.experiments.av.moral_figures import bars, save_figures
from tests.experiments.pages import Reader, decoded
from tests.loopback import Loopback, say, weighing


def _heads(observation):
    """Spares the larger group, the first where they are alike."""
    sides = observation["observation"].reshape(2, -1)[:, : len(CHARACTERS)].sum(axis=1)
    return int(sides[1] > sides[0] + 1e-6)


def test_who_counts_heads_is_found_out(tmp_path):
    run = moral_machine([CallablePolicy(_heads, "heads"), "random"], scenarios=210, path=tmp_path / "run.db")
    heads, lots = load(run.path)[1].measures
    assert heads.effects["number"].value == pytest.approx(1)
    assert heads.answered == lots.answered == 210
    assert all(effect.value == pytest.approx(0, abs=1e-9) for effect in lots.effects.values())
    assert lots.distance == pytest.approx(1.14, abs=0.005)  # the length of people's own effects


def test_unreadable_and_refused_answers_are_counted_and_left_out(tmp_path):
    def answer(request):
        text = request["messages"][-1]["content"]
        if "a dog" in text:
            return say(None, refusal="I will not choose.")
        return say("both of them" if "a girl" in text else "A")

    with Loopback(otherwise=answer) as server:
        run = moral_machine(
            ["openai/loopback"],
            scenarios=40,
            seed=2,
            path=tmp_path / "run.db",
            api_base=server.url,
            api_key="none",
            elicit="sample",
            retries=0,
        )
    (found,) = load(run.path)[1].measures
    assert found.invalid > 0
    assert found.refused > 0
    assert found.answered + found.invalid + found.refused == 40


def test_answers_of_low_mass_are_counted_as_such(tmp_path):
    with Loopback(otherwise=weighing(Hm=0.9, A=0.01, B=0.01)) as server:
        run = moral_machine(
            ["openai/loopback"],
            scenarios=3,
            path=tmp_path / "run.db",
            api_base=server.url,
            api_key="none",
            elicit="logprobs",
            retries=0,
        )
    study, result = load(run.path)
    (found,) = result.measures
    assert (found.answered, found.invalid, found.refused, found.low_mass) == (0, 0, 0, 3)
    (masses,) = [table for table in study.page(result).tables if table.title == "Answer mass"]
    assert [cell.text for cell in masses.rows[0]] == ["–", "3", "0", "3"]


def test_a_run_that_broke_off_goes_on(tmp_path):
    path = tmp_path / "run.db"

    class Enough(Exception):
        pass

    def stop(progress):
        if progress.decisions == 5:
            raise Enough

    with pytest.raises(Enough):
        moral_machine(["random"], scenarios=20, seed=3, path=path, concurrency=1, progress=stop)
    resume(path)
    whole = moral_machine(["random"], scenarios=20, seed=3, path=tmp_path / "whole.db")
    actions = [[record.decision.action for record in run.decisions()] for run in (resume(path), whole)]
    assert actions[0] == actions[1]
    assert len(actions[0]) == 20


@pytest.mark.parametrize("order", [0, 1])
def test_a_prompt_says_who_lives_and_who_dies(order):
    scenarios = draw_scenarios(60, seed=1)
    for place in range(60):
        turn = moral_turn(scenarios, place)
        prompt = render(turn, "neutral", order)
        text = prompt.messages[-1]["content"]
        first = text.index("A: The car")
        assert first < text.index("B: The car")
        # The option shown first spares the group that its number names.
        spared = turn.game.groups[prompt.order[0]]
        said = text[first : text.index("B: The car")]
        assert ("stays on course" in said) == spared.inaction
        lost = turn.game.groups[1 - prompt.order[0]]
        dead = said[said.index("Dead") :]
        assert ("in the car" in dead) == lost.passengers
        assert ("green signal" in dead) == (lost.crossing == "lawfully")
        # Each group is named, as dead, under the option that spares the other.
        assert ("in the car" in text[text.index("B: The car") :]) == spared.passengers


def test_the_reward_is_the_respondents_own_survival():
    env = make_env("moral_machine-v0", scenarios=3, perspective="second")
    env.reset(seed=0)
    env.step(0)
    assert env.rewards["respondent_0"] == 0.0
    env.step(1)
    assert env.rewards["respondent_0"] == 1.0
    lost = env.infos["respondent_0"]["lives_lost"]
    assert lost["people"] + lost["pets"] >= 1


def test_the_command_prints_effects_beside_people(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["av", "random", "--moral-machine", "30", "--out", "run.db", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert set(found["policies"][0]["effects"]) == set(ATTRIBUTES)
    shown = CliRunner().invoke(app, ["show", "run.db"])
    assert "pedestrians" in shown.stdout
    wrong = CliRunner().invoke(app, ["av", "random", "--moral-machine", "5", "--study", "1"])
    assert wrong.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--moral-machine", "3", "--framings", "neutral,story"], "--framings has no effect on scenarios"),
        (
            ["--moral-machine", "3", "--perspectives", "passenger"],
            "--perspectives has no effect on scenarios",
        ),
        (["--moral-machine", "3", "--replicates", "2"], "--replicates has no effect on scenarios"),
        (["--moral-machine", "3", "--others", "o.csv"], "--others has no effect without --figure"),
        (
            ["--moral-machine", "3", "--figure", "f.png", "--print-config"],
            "--figure has no effect on a study",
        ),
        (["--figure", "f.png"], "--figure has no effect without --moral-machine: leave it out."),
        (["--others", "o.csv"], "--others has no effect without --moral-machine"),
        (["--order", "auto"], "--order has no effect without --moral-machine"),
    ],
)
def test_an_option_that_has_no_effect_is_refused(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(["av", "random", *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_the_figures_show_every_attribute_with_people_beside_it(tmp_path):
    run = moral_machine([CallablePolicy(_heads, "heads")], scenarios=60, path=tmp_path / "run.db")
    found = load(run.path)[1].measures
    others = {"other": dict.fromkeys(ATTRIBUTES, 0.1)}
    axes = bars(found, others).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(ATTRIBUTES.values())
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "D"]
    assert marks == list(PEOPLE.values())
    files = save_figures(found, tmp_path / "effects.png", others)
    assert all(file.stat().st_size > 10_000 for file in files)
    with pytest.raises(UsageError, match=r"\.png"):
        save_figures(found, tmp_path / "effects.txt")


@pytest.mark.parametrize(
    "wrong", [{"models": []}, {"models": "random"}, {"models": ["random"], "scenarios": 0}]
)
def test_wrong_arguments_are_said_and_nothing_is_written(tmp_path, wrong):
    with pytest.raises(UsageError):
        moral_machine(**wrong, path=tmp_path / "run.db")
    assert not (tmp_path / "run.db").exists()
    assert np.all(draw_scenarios(4).size > 0)


def test_oracles_count_lives_and_pedestrians_are_spared_above_the_threshold(tmp_path):
    names = ["homo_economicus", "homo_moralis:0.9", "utilitarian"]
    run = moral_machine(names, scenarios=210, seed=1, path=tmp_path / "run.db")
    economicus, moralis, utilitarian = load(run.path)[1].measures
    assert utilitarian.effects["number"].value > 0.8  # groups that differ by pets alone are a tie
    assert utilitarian.effects["species"].value == pytest.approx(1)
    assert utilitarian.effects["gender"].value == pytest.approx(0)
    assert economicus.effects["relation"].value < -0.7  # passengers, who might be oneself
    assert moralis.effects["relation"].value > economicus.effects["relation"].value


def test_the_report_has_pictures_tables_and_transcripts(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    told = ["av", "utilitarian", "random", "--moral-machine", "42", "--order", "random", "--out", "run.db"]
    assert main(told) == 0
    assert "run.html" in capsys.readouterr().out
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    data, _ = decoded(Reader(page).scripts[0])
    assert len(data["decisions"]) == 84
    (tmp_path / "run.html").unlink()
    assert main(["report", "run.db"]) == 0
    assert (tmp_path / "run.html").exists()
    assert main(["show", "run.db"]) == main(["resume", "run.db"]) == 0


def test_scenarios_that_were_asked_stay_when_a_run_grows(tmp_path):
    path, asked = tmp_path / "run.db", []
    moral_machine(["random"], scenarios=20, seed=5, path=path)
    before = [record.decision.action for record in load(path)[1].decisions]
    extend(path, scenarios=50, models=["random", "utilitarian"], progress=asked.append)
    study, result = load(path)
    assert asked[0].done == 20
    assert [record.decision.action for record in result.decisions][:20] == before
    assert study.config.blocks == (20, 30)
    assert [found.answered for found in result.measures] == [50, 50]
    first = draw_scenarios(20, seed=5)
    for name in ("type", "counts", "level", "passengers", "legality", "signal", "inaction", "probability"):
        assert np.array_equal(getattr(study.scenarios, name)[:20], getattr(first, name))
    assert len(study.scenarios) == 50
    assert not np.array_equal(study.scenarios.counts[20:40], first.counts)
    with pytest.raises(UsageError, match=r"moral_machine\.blocks: The blocks hold 50 scenarios"):
        extend(path, scenarios=30)


def test_a_fresh_run_draws_all_its_scenarios_together():
    study = parse_study('[moral_machine]\nmodels = ["random"]\nscenarios = 70\nseed = 3')
    assert isinstance(study, MoralMachineStudy)
    assert np.array_equal(study.scenarios.counts, draw_scenarios(70, seed=3).counts)
    assert "blocks" not in study.config.as_json()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scenarios = 0", r"^moral_machine\.scenarios: .* at least 1; got 0\.$"),
        ("blocks = [0]", r"^moral_machine\.blocks\[0\]: .* at least 1; got 0\.$"),
        ("scenarios = 5\nblocks = [6]", r"^moral_machine\.blocks: The blocks hold 6 scenarios"),
        ('order = "none"', r"^moral_machine\.order: this should be 'auto', .*; got 'none'\.$"),
    ],
)
def test_a_wrong_file_names_its_key(text, message):
    with pytest.raises(UsageError, match=message):
        parse_study(f'[moral_machine]\nmodels = ["random"]\n{text}')


def test_the_command_draws_effects_beside_those_of_others_and_prints_its_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    others = [f"{name},0.1" for name in ATTRIBUTES]
    told = ["av", "utilitarian", "random", "--moral-machine", "60", "--seed", "4", "--order", "both"]
    assert main([*told, "--print-config"]) == 0
    printed = capsys.readouterr().out
    assert parse_study(printed).config.order == "both"
    assert not list(tmp_path.iterdir())
    assert main([*told, "--figure", "effects.txt"]) == 2
    assert not list(tmp_path.iterdir())
    (tmp_path / "others.csv").write_text("\n".join(["attribute,other", *others]), encoding="utf-8")
    more = ["--out", "run.db", "--figure", "effects.svg", "--others", "others.csv", "--csv", "effects.csv"]
    assert main([*told, *more]) == 0
    assert {"effects.svg", "effects-radar.svg", "run.html"} < {path.name for path in tmp_path.iterdir()}
    assert "other" in (tmp_path / "effects.svg").read_text(encoding="utf-8")
    rows = (tmp_path / "effects.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 2 * len(ATTRIBUTES)
    (tmp_path / "study.toml").write_text(printed, encoding="utf-8")
    assert main(["run", "study.toml", "--out", "again.db"]) == 0
    assert main(["extend", "again.db", "scenarios=80"]) == 0
    assert load("again.db")[1].measures[0].answered == 80
