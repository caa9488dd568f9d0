"""The market as a study: files, extensions, and what holds for a run of any study."""

from __future__ import annotations

import io
import warnings

import pytest
from rich.console import Console

from ludens.envs.pricing import Exit, Market
from ludens.errors import UsageError
from ludens.experiments import Run, as_toml, export, extend, load, parse_study, report, resume, run_study
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.study import PricingStudy, play_pricing

WRONG = [
    ('firms = ["nash", 3]', r"^pricing\.firms\[1\]: A policy is named by its specification"),
    ("firms = []", r"^pricing\.firms: Name the firms"),
    ('firms = "nash"\n[pricing.market]\nmu = 0', r"^pricing\.market\.mu: mu must be greater than 0"),
    (
        'firms = "nash"\n[pricing.market]\nqualitys = [2]',
        r"^pricing\.market\.qualitys: .* 'qualit(ies|y)'\?$",
    ),
    ('firms = "nash"\n[pricing.market]\ncosts = [1, "x"]', r"^pricing\.market\.costs\[1\]: .* 'x'\.$"),
    ('firms = ["nash", "nash"]\n[pricing.market]\ncosts = [1, 1, 1]', r"^pricing\.market: The market has 3 "),
    (
        'firms = "nash"\n[pricing.market]\nslopes = [[1.0]]',
        r"^pricing\.market: slopes is no number of a market with logit",
    ),
    (
        'firms = "nash"\n[[pricing.interventions]]\nkind = "Tax"',
        r"^pricing\.interventions\[0\]: .* is not an intervention",
    ),
    ('firms = "nash"\nceiling = [2]', r"^pricing\.ceiling: A ceiling is an interval of two factors"),
    ('firms = "nash"\nprice_grid = "fine"', r"^pricing\.price_grid: .* number of points, or prices"),
    ('firms = "nash"\nprefix = "P9"', r"^pricing\.prefix: There is no prefix 'P9'"),
    ('firms = "nash"\nperiod = 3', r"^pricing\.period: there is no such key; did you mean 'periods'\?$"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_wrong_file_is_one_sentence_that_names_the_key(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_study(f"[pricing]\n{text}")
    assert "\n" not in str(caught.value)


def test_a_policy_that_cannot_be_made_is_named_by_its_key():
    study = parse_study('[pricing]\nfirms = ["nash", "nobody"]')
    with pytest.raises(UsageError, match=r"^pricing\.firms\[1\]: There is no policy 'nobody'"):
        study.episodes()


def test_a_file_needs_to_say_little_and_the_configuration_says_all():
    config = parse_study('[pricing]\nfirms = ["nash", "grim"]\n[pricing.market]\nmu = 0.5').config
    market = Market.symmetric(2, mu=0.5, quantity_scale=100.0)
    assert config.scaled(1) == market
    assert config.as_json()["market"] == market.parameters
    assert config == PricingConfig(firms=["nash", "grim"], market=market)
    assert PricingConfig(firms="nash", market=Market.symmetric(3)).firms == ("nash",) * 3
    assert PricingConfig(firms="nash", ceiling=None) == PricingConfig(firms=["nash"], ceiling=[])
    once = PricingConfig(firms="nash", interventions=[Exit(2, 0)])
    assert once.interventions == (Exit(2, 0),)
    assert '{ kind = "Exit", period = 2, firm = 0 }' in as_toml(PricingStudy(once))


def test_a_market_runs_from_a_file_as_from_python(tmp_path):
    text = '[pricing]\nfirms = ["random", "myopic"]\nperiods = 4\nruns = 2\nseed = 3'
    run = run_study(parse_study(text), tmp_path / "file.db")
    same = play_pricing(["random", "myopic"], periods=4, runs=2, seed=3, path=tmp_path / "python.db")
    assert run.final_table() == same.final_table()
    assert run.manifest["config"] == same.manifest["config"]


def test_extending_plays_only_the_new_runs_and_scales(tmp_path):
    path = tmp_path / "run.db"
    play_pricing(["random", "nash"], periods=3, runs=2, path=path)
    with Run(path) as run:
        before = run.decisions(), [each.labels for each in run.episodes()]
    progress = []
    extend(path, runs=3, scales=[1, 10], progress=progress.append)
    with Run(path) as run:
        after, labels = run.decisions(), [each.labels for each in run.episodes()]
    assert progress[0].done == 2
    assert after[: len(before[0])] == before[0]
    assert labels[:2] == before[1]
    assert sorted((each["scale"], each["run"]) for each in labels) == [
        (scale, number) for scale in (1, 10) for number in range(3)
    ]
    assert len({each["ceiling"] / each["scale"] for each in labels}) == 6
    result = report(path)
    assert {each.name for each in result.analysis.groups} == {"all runs", "α = 1", "α = 10"}
    with pytest.raises(UsageError, match=r"cannot be extended by 'periods'; keys of .*: runs, scales\."):
        extend(path, periods=9)


def test_a_scale_that_is_given_twice_is_played_once():
    study = PricingStudy(PricingConfig(firms=["nash", "nash"], scales=[1, 10, 1.0], runs=2))
    assert [(each["scale"], each["run"]) for each in study.episodes()] == [(1, 0), (1, 1), (10, 0), (10, 1)]


def test_a_scale_beyond_all_prices_is_one_sentence_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UsageError, match="they must be prices, the lower one first"):
            PricingStudy(PricingConfig(firms=["nash", "nash"], scales=[1e300])).player()


def test_a_run_that_broke_off_goes_on_with_the_policies_of_its_file(tmp_path):
    class Enough(Exception):
        pass

    def stop(news):
        if (news.episode, news.period) == (1, 2):
            raise Enough

    whole = play_pricing(["random", "nash"], periods=5, runs=3, path=tmp_path / "whole.db", concurrency=1)
    path = tmp_path / "run.db"
    with pytest.raises(Enough):
        play_pricing(["random", "nash"], periods=5, runs=3, path=path, concurrency=1, on_period=stop)
    assert load(path)[1].unfinished == 2
    assert resume(path).final_table() == whole.final_table()


def test_measures_need_no_policies_and_are_exported(tmp_path, monkeypatch):
    path = tmp_path / "run.db"
    play_pricing(["random", "nash"], periods=3, path=path)

    def refuse(*given, **settings):
        raise AssertionError("a policy was made")

    monkeypatch.setattr("ludens.agents.registry.make_policy", refuse)
    result = report(path)
    assert result.report_path.exists()
    files = export(path)
    assert set(files) == {"estimates", "panel", "decisions", "episodes"}
    assert len(files["panel"].read_text().splitlines()) == 1 + 6


def test_a_terminal_shows_current_prices_while_the_market_is_played(tmp_path):
    study = PricingStudy(PricingConfig(firms=["fixed:1.5", "fixed:1.75"], periods=4, scales=[10]))
    screen = Console(file=io.StringIO(), force_terminal=True, width=80)
    with study.watched(screen, "price") as progress:
        run_study(study, tmp_path / "run.db", progress=progress)
        screen.print("here")  # what is live is drawn again below it
    hidden = Console(file=io.StringIO())
    with study.watched(hidden, "price") as progress:
        assert progress is None
    assert "price" in screen.file.getvalue()
    assert "4/4" in screen.file.getvalue()
    person = PricingStudy(PricingConfig(firms=["human", "nash"]))
    assert person.keyboard
    with person.watched(screen, "price") as progress:
        assert progress is None
