"""The dilemma's environment: survival, lives, designs, and who sees what."""

from __future__ import annotations

import numpy as np
import pettingzoo
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.envs import make_env
from ludens.envs.av.dilemma.env import AvDilemmaEnv
from ludens.envs.av.dilemma.observations import NAMES, encoded
from ludens.envs.av.dilemma.studies import STUDIES, free_design, study_design
from ludens.envs.av.dilemma.vignette import PERSPECTIVES, QUESTIONS, Vignette, as_vignette
from ludens.errors import UsageError
from ludens.experiments import play

COMPANY = st.lists(st.sampled_from(["co-worker", "family member", "child", "stranger"]), max_size=4)


@st.composite
def vignettes(draw):
    perspective = draw(st.sampled_from(PERSPECTIVES))
    others = draw(COMPANY)
    own = ["self"] if perspective == "passenger" else ["stranger"]
    return Vignette(
        draw(st.integers(1, 100)),
        tuple(own + others),
        perspective,
        certainty=draw(st.floats(0.01, 1)),
        question=draw(st.sampled_from(QUESTIONS)),
        program=draw(st.sampled_from(["utilitarian", "protective"])),
    )


@given(vignettes(), st.integers(0, 100))
def test_lives_and_survival_follow_from_the_answer(vignette, answer):
    swerving = vignette.swerving(answer % vignette.answers)
    assert 0 <= swerving <= 1
    lost = vignette.deaths(swerving)
    assert 0 <= lost["passengers"] <= vignette.riders
    assert 0 <= lost["pedestrians"] <= vignette.pedestrians
    survival = vignette.survival(swerving)
    if vignette.perspective == "passenger":
        assert survival == pytest.approx(1 - lost["passengers"] / vignette.riders)
    elif vignette.perspective == "pedestrian":
        assert survival == pytest.approx(1 - lost["pedestrians"] / vignette.pedestrians)
    else:
        assert survival == 1


@given(vignettes(), st.sampled_from(PERSPECTIVES))
def test_the_same_dilemma_through_other_eyes_has_the_same_lives(vignette, eyes):
    seen = vignette.seen_from(eyes)
    assert (seen.riders, seen.pedestrians) == (vignette.riders, vignette.pedestrians)
    assert as_vignette(seen.describe()) == seen
    numbers = encoded(seen)
    assert len(numbers) == len(NAMES)
    assert numbers.min() >= 0
    assert numbers.max() <= 1


def test_an_act_pays_own_survival_and_tells_the_lives_lost():
    env = AvDilemmaEnv(study=1, respondents=2, perspective=["passenger", "pedestrian"], order="fixed")
    env.reset(seed=0)
    _, rewards, _, _, infos = env.step({"respondent_0": 1, "respondent_1": 0})
    assert rewards == {"respondent_0": 0.0, "respondent_1": 0.0}
    assert infos["respondent_0"]["lives_lost"] == {"passengers": 1.0, "pedestrians": 0.0}
    assert infos["respondent_1"]["lives_lost"] == {"passengers": 0.0, "pedestrians": 10.0}
    # The next question is a rating: 75 of 100 for swerving.
    _, rewards, _, _, infos = env.step({"respondent_0": 75, "respondent_1": 75})
    assert rewards == {"respondent_0": 0.25, "respondent_1": 0.75}
    assert infos["respondent_1"]["lives_lost"]["pedestrians"] == 2.5


def test_where_acts_and_ratings_mix_the_mask_says_which_answers_are_legal():
    env = AvDilemmaEnv(study=1, order="fixed", respondents=1)
    observations, _ = env.reset(seed=0)
    assert observations["respondent_0"]["action_mask"].sum() == 2
    with pytest.raises(UsageError, match=r"0 \(stay\) or 1 \(swerve\)"):
        env.step({"respondent_0": 2})
    observations, *_ = env.step({"respondent_0": 1})
    assert observations["respondent_0"]["action_mask"].sum() == 101
    acts = AvDilemmaEnv(question="act", pedestrians=[1, 10])
    assert acts.action_space("respondent_0").n == 2


@pytest.mark.parametrize("number", STUDIES)
def test_every_study_is_asked_whole_in_an_order_of_each_respondents_own(number):
    env = AvDilemmaEnv(study=number, respondents=8)
    env.reset(seed=1)
    asked = [env.asked(agent) for agent in env.possible_agents]
    assert all(sorted(map(str, each)) == sorted(map(str, study_design(number))) for each in asked)
    if len(asked[0]) > 2:
        assert len(set(asked)) > 1


def test_a_free_design_is_every_combination_and_puts_a_stranger_where_one_does_not_sit():
    design = free_design(pedestrians=[1, 5], passengers=[("self", "child")], perspective=list(PERSPECTIVES))
    assert len(design) == 10
    assert {each.passengers for each in design if each.perspective != "passenger"} == {("stranger", "child")}
    env = make_env("av_dilemma-v0", pedestrians=[1, 5], passengers=[("self", "child")])
    env.reset(seed=0)
    assert pettingzoo.make("parallel", "ludens/av_dilemma-v0", rounds=3).rounds == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"study": 7},
        {"study": 1, "pedestrians": 5},
        {"pedestrians": 101},
        {"pedestrians": 0},
        {"certainty": 0.0},
        {"passengers": "grandmother"},
        {"perspective": "driver"},
        {"respondents": 2, "perspective": ["passenger"]},
        {"vignettes": []},
        {"riders": 3},
        {"order": "shuffled"},
    ],
)
def test_wrong_designs_are_told_in_one_sentence(wrong):
    with pytest.raises(UsageError) as caught:
        make_env("av_dilemma-v0", **wrong)
    assert "\n" not in str(caught.value)


def test_ordinary_policies_play_it(tmp_path):
    run = play(
        ("av_dilemma-v0", {"study": 1}), ["homo_moralis:0.5", "random"], path=tmp_path / "run.db", seed=2
    )
    (record,) = run.episodes()
    assert record.status == "done"
    acts = [each.choice for each in run.decisions() if each.node == "act" and "moralis" in each.policy]
    assert acts == ["swerve"]
    assert 0 <= record.payoffs["respondent_0"] <= 3
    assert np.isfinite(record.payoffs["respondent_1"])
