"""Asking respondents about dilemmas: known answers, models that answer badly, runs that go on."""

from __future__ import annotations

import json

import pytest

from ludens.envs.av.dilemma.studies import free_design, study_design
from ludens.envs.av.dilemma.vignette import Vignette
from ludens.errors import UsageError
from ludens.experiments import Run
from ludens.experiments.av import ask, load_result, resume_ask
from ludens.experiments.av.result import to_json
from tests.loopback import Loopback, say


def by_name(result):
    return {found.policy: found for found in result.measures}


def values(run):
    with Run(run) as opened:
        return [(entry.decision.action, entry.decision.status) for entry in opened.decisions()]


def test_the_numbers_of_a_run_are_those_of_the_closed_forms(tmp_path):
    run = ask(["homo_economicus", "homo_moralis:0.5"], studies=[2], path=tmp_path / "run.db", references=())
    found = to_json(load_result(run.path))
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
            resume_ask(path)
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
