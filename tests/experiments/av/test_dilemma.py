"""Asking respondents about dilemmas: known answers, models that answer badly, runs that go on."""

from __future__ import annotations

import json

import pytest

from ludens.agents import CallablePolicy
from ludens.envs.av.dilemma.studies import free_design, study_design
from ludens.envs.av.dilemma.vignette import Vignette
from ludens.errors import UsageError
from ludens.experiments import Run, extend, load, parse_study, resume
from ludens.experiments.av import ask
from ludens.experiments.av.result import estimates, to_json
from tests.loopback import Loopback, say, weighing


def by_name(result):
    return {found.policy: found for found in result.measures}


def values(run):
    with Run(run) as opened:
        return [(entry.decision.action, entry.decision.status) for entry in opened.decisions()]


def test_the_numbers_of_a_run_are_those_of_the_closed_forms(tmp_path):
    run = ask(["homo_economicus", "homo_moralis:0.5"], studies=[2], path=tmp_path / "run.db", references=())
    found = to_json(load(run.path)[1])
    text = json.dumps(found)
    assert "NaN" not in text
    design = study_design(2)
    acts = [
        (vignette, action)
        for vignette, (action, _) in zip(design * 2, values(run.path), strict=True)
        if vignette.question == "act"
    ]
    assert acts
    half = len(acts) // 2
    assert all(action == 0 for _, action in acts[:half])
    for vignette, action in acts[half:]:
        if vignette.riders / vignette.pedestrians != 0.5:
            assert action == (vignette.riders / vignette.pedestrians < 0.5)


def test_a_run_is_the_same_at_every_concurrency(tmp_path):
    runs = [
        ask(["random"], studies=[1, 3], seed=4, path=tmp_path / f"{n}.db", concurrency=n, references=())
        for n in (1, 8)
    ]
    assert values(runs[0].path) == values(runs[1].path)


def test_a_model_that_answers_badly_is_counted_and_nothing_is_made_up(tmp_path):
    design = [Vignette(pedestrians=10, question="morality")]
    with Loopback(otherwise=say("about 50 or 60")) as server:
        run = ask(
            ["openai/loopback"],
            design=design,
            framings=["neutral"],
            references=(),
            path=tmp_path / "run.db",
            api_base=server.url,
            api_key="none",
            retries=1,
        )
    assert {status for _, status in values(run.path)} == {"invalid"}
    assert all(action is None for action, _ in values(run.path))


def test_a_refusal_is_a_result(tmp_path):
    design = [Vignette(pedestrians=10, question="morality")]
    with Loopback(otherwise=say(None, refusal="I will not rate that.")) as server:
        run = ask(
            ["openai/loopback"],
            design=design,
            framings=["neutral"],
            references=(),
            path=tmp_path / "run.db",
            api_base=server.url,
            api_key="none",
        )
    assert {status for _, status in values(run.path)} == {"refused"}


def test_acts_of_low_mass_are_counted_as_such(tmp_path):
    with Loopback(otherwise=weighing(Hm=0.9, A=0.01, B=0.01)) as server:
        run = ask(
            [
                {
                    "spec": "openai/loopback",
                    "api_base": server.url,
                    "api_key": "none",
                    "elicit": "logprobs",
                    "retries": 0,
                }
            ],
            design=[Vignette(pedestrians=10, question="act")],
            framings=["neutral"],
            references=(),
            path=tmp_path / "run.db",
        )
    result = load(run.path)[1]
    (found,) = result.measures
    assert found.low_mass["all"].value == found.low_mass["act"].value == 1
    assert (found.invalid["all"].value, found.refused["all"].value) == (0, 0)
    rows = {(row["measure"], row["of"]): row["value"] for row in estimates(result)}
    assert rows["low_mass", "all"] == 1


def test_a_run_that_broke_off_goes_on_and_asks_nothing_twice(tmp_path):
    design = [Vignette(pedestrians=n, question="morality") for n in (1, 2, 3, 4)]
    path = tmp_path / "run.db"
    settings = {"design": design, "framings": ["neutral"], "references": (), "concurrency": 1, "path": path}

    class Enough(Exception):
        pass

    def stop(progress):
        if progress.decisions == 3:
            raise Enough

    with Loopback(otherwise=say("70")) as server:
        with pytest.raises(Enough):
            ask(
                ["openai/loopback"],
                progress=stop,
                api_base=server.url,
                api_key="none",
                **settings,
            )
        before = len(server.requests)
        assert len(values(path)) == 3
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPENAI_API_KEY", "none")
            resume(path)
        assert len(server.requests) == 8
        assert before == 3
    assert [action for action, _ in values(path)] == [70] * 8


def test_a_design_of_ones_own_crosses_its_variables():
    design = free_design(pedestrians=[1, 10], question=["act", "purchase"])
    assert len(design) == 4
    assert {vignette.pedestrians for vignette in design} == {1, 10}


@pytest.mark.parametrize(
    "wrong",
    [
        {"models": []},
        {"models": ["random", "random"]},
        {"models": ["random"], "studies": [7]},
        {"models": ["random"], "studies": [1], "design": [Vignette(pedestrians=1)]},
        {"models": ["random"], "replicates": 0},
        {"models": ["random"], "design": []},
    ],
)
def test_wrong_arguments_are_said_and_nothing_is_written(tmp_path, wrong):
    with pytest.raises(UsageError):
        ask(**wrong, path=tmp_path / "run.db")
    assert not (tmp_path / "run.db").exists()


def test_extending_asks_only_what_is_new(tmp_path):
    path, asked = tmp_path / "run.db", []
    ask(["random"], studies=[1], references=["utilitarian"], seed=2, path=path)
    before = values(path)
    extend(path, studies=[1, 4], models=["random", "homo_economicus"], progress=asked.append)
    assert asked[0].done == len(before) == 6
    study, result = load(path)
    assert values(path)[:6] == before
    assert [found.policy for found in result.measures] == ["random", "homo_economicus", "utilitarian"]
    assert result.tested == ("random", "homo_economicus")
    fresh = ask(["homo_economicus"], studies=[1, 4], references=["utilitarian"], path=tmp_path / "fresh.db")
    for label in ("homo_economicus", "utilitarian"):
        mine, theirs = by_name(result)[label], by_name(load(fresh.path)[1])[label]
        assert (mine.curve, mine.points.keys()) == (theirs.curve, theirs.points.keys())
        assert [each.value for each in mine.points.values()] == [
            each.value for each in theirs.points.values()
        ]
    assert study.config.studies == (1, 4)


def test_a_policy_that_was_an_object_is_given_again(tmp_path):
    class Enough(Exception):
        pass

    def stop(progress):
        if progress.decisions == 3:
            raise Enough

    path, heads = tmp_path / "run.db", CallablePolicy(lambda seen: 1, "heads")
    with pytest.raises(Enough):
        ask([heads], studies=[1], references=(), path=path, concurrency=1, progress=stop)
    assert by_name(load(path)[1])["heads"].asked == 3  # measuring needs no policy
    extended = tmp_path / "other.db"
    ask([heads], studies=[1], references=(), path=extended)
    with pytest.raises(UsageError, match=r"^av\.models\[0\]: the policy 'heads' was a Python object"):
        extend(extended, studies=[1, 4])
    extend(extended, studies=[1, 4], models=[heads])
    assert len(values(extended)) == 6


def test_a_study_may_join_a_run_before_those_it_has(tmp_path):
    path = tmp_path / "run.db"
    options = {"references": ["homo_economicus"], "seed": 5}
    ask(["homo_moralis:0.5"], studies=[2], path=path, **options)
    with Run(path) as run:
        before = run.decisions()
    extend(path, studies=[1, 2])
    with Run(path) as run:
        assert run.decisions()[: len(before)] == before
    whole = ask(["homo_moralis:0.5"], studies=[1, 2], path=tmp_path / "whole.db", **options)
    found, expected = load(path)[1], load(whole.path)[1]
    assert found.ended == found.planned == expected.planned
    for policy, asked in expected.asked.items():
        by_question = {(each.study, each.vignette): each.value for each in asked.answers}
        assert {
            (each.study, each.vignette): each.value for each in found.asked[policy].answers
        } == by_question


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('design = [{}, {}, {pedestrians = 0}]', r"^av\.design\[2\]\.pedestrians: .* equal to 1; got 0\.$"),
        ('design = [{question = "x"}]', r"^av\.design\[0\]\.question: this should be one of act, morality"),
        ('design = [{pedestrian = 1}]', r"^av\.design\[0\]\.pedestrian: .* did you mean 'pedestrians'\?$"),
        ('design = [{perspective = "regulator"}]', r"^av\.design\[0\]: A vignette got passengers"),
        ('design = []', r"^av\.design: A design needs at least one vignette"),
        ('studies = [1, 9]', r"^av\.studies: There is no study 9"),
        ('studies = [1]\ndesign = [{}]', r"^av: Ask about studies or about a design"),
        ('perspectives = ["cat"]', r"^av\.perspectives: There is no perspective 'cat'"),
    ],
)  # fmt: skip
def test_a_wrong_file_names_its_key(text, message):
    with pytest.raises(UsageError, match=message):
        parse_study(f'[av]\nmodels = ["random"]\n{text}')
