"""Studies: configurations, files, extending, and what is the same for every kind."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.agents import TitForTat
from ludens.errors import UsageError
from ludens.experiments import (
    STUDIES,
    Run,
    Study,
    StudyConfig,
    as_toml,
    extend,
    load,
    parse_study,
    play,
    report,
    resume,
)
from ludens.experiments.bench.study import BenchConfig, BenchStudy, bench
from ludens.experiments.play.study import PlayConfig
from tests.experiments.configurations import CONFIGURATIONS

KINDS = sorted(CONFIGURATIONS)


def test_every_study_of_the_package_is_registered_and_tried_here():
    assert set(KINDS) <= set(STUDIES)
    own = {kind for kind in STUDIES if STUDIES[kind].__module__.startswith("ludens.")}
    assert own == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_registered_study_goes_by_its_kind(kind):
    study = STUDIES[kind]
    assert issubclass(study, Study)
    assert study.kind() == kind
    assert study.title
    assert study.grows <= set(study.config_type.model_fields)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_nothing_is_lost_between_a_file_and_a_run(kind, data):
    study = STUDIES[kind](data.draw(CONFIGURATIONS[kind]))
    text = as_toml(study)
    again = parse_study(text)
    assert again.config == study.config
    assert as_toml(again) == text
    # What a manifest holds: JSON, written and read.
    kept = json.loads(json.dumps(study.config.as_json()))
    assert type(study.config)(**kept) == study.config


@pytest.mark.parametrize("kind", KINDS)
def test_none_is_a_value_only_where_it_is_the_default(kind):
    for name, field in STUDIES[kind].config_type.model_fields.items():
        if type(None) in getattr(field.annotation, "__args__", ()):
            assert field.default is None, name


WRONG = [
    ("[bench]\nmodels = []", r"^bench\.models: Name at least one model"),
    ('[bench]\nmodels = ["random", 3]', r"^bench\.models\[1\]: A policy is named by its specification"),
    ("[bench]\n", r"^bench\.models: this key is needed and missing\.$"),
    ('[bench]\nmodels = ["random"]\nreplicate = 2', r"^bench\.replicate: .* did you mean 'replicates'\?$"),
    ('[bench]\nmodels = ["random"]\nreplicates = 0', r"^bench\.replicates: .* at least 1; got 0\.$"),
    ('[bench]\nmodels = ["random"]\nreplicates = true', r"^bench\.replicates: .* got True\.$"),
    ('[bench]\nmodels = ["random"]\nelicit = "x"', r"^bench\.elicit: this should be 'auto', .*; got 'x'\.$"),
    ('[bench]\nmodels = ["random"]\nseed = -1', r"^bench\.seed: A seed is a whole number of at least 0"),
    ('[bench]\nmodels = ["random"]\nbeliefs = [1]', r"^bench\.beliefs: this should be a valid boolean"),
    ("[nothing]\nx = 1", r"^There is no study 'nothing'; there are .*bench.*play"),
    ("", r"^a study file holds one table, named by its study .*; it holds nothing\.$"),
    ('[bench]\nmodels = ["a"]\n[play]\nepisodes = 1', r"it holds bench, play\.$"),
    ("x = ", r"^this is no TOML \("),
    ('study = "no_such_module:X"\n[x]\n', r"^'no_such_module:X' cannot be loaded"),
    ('study = "json:dumps"\n[x]\n', r"^json:dumps is not a study of kind 'x'\.$"),
    ("study = 3\n[x]\n", r"^study: this should be a text"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_wrong_file_is_one_sentence_that_names_the_key(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_study(text)
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value).lower()


def test_a_policy_that_cannot_be_made_is_named_by_its_key():
    study = parse_study('[bench]\nmodels = ["random", "nobody"]')
    with pytest.raises(UsageError, match=r"^bench\.models\[1\]: There is no policy 'nobody'"):
        study.player()


def test_extending_asks_only_what_is_new_and_keeps_the_rest(tmp_path):
    path = tmp_path / "run.db"
    first = bench(["tit_for_tat"], protocols=["TG1"], path=path)
    with Run(path) as run:
        before = run.final_table(), run.decisions()
    asked = []
    extend(path, models=["tit_for_tat", "grim"], protocols=["TG1", "UG1"], progress=asked.append)
    with Run(path) as run:
        after = run.decisions()
        assert after[: len(before[1])] == before[1]
        assert run.manifest["config"]["models"] == ["tit_for_tat", "grim"]
        assert run.manifest["status"] == "done"
    assert asked[0].done == len(before[1])
    larger = load(path)[1]
    assert [found.policy for found in larger.measures][:2] == ["tit_for_tat", "grim"]
    fresh = bench(["tit_for_tat", "grim"], protocols=["TG1", "UG1"], path=tmp_path / "fresh.db")
    # Policies that tell their probabilities answer alike, whichever number a question has.
    by_policy = {found.policy: found.overall.value for found in fresh.measures}
    assert by_policy == {found.policy: found.overall.value for found in larger.measures}
    assert first.planned < larger.planned == fresh.planned


def test_a_play_is_extended_by_episodes(tmp_path):
    path = tmp_path / "run.db"
    play("trust-v0", ["random", "tit_for_tat"], episodes=3, seed=2, path=path)
    whole = play("trust-v0", ["random", "tit_for_tat"], episodes=8, seed=2, path=tmp_path / "whole.db")
    extended = extend(path, episodes=8)
    assert extended.final_table() == whole.final_table()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beliefs": True}, "cannot be extended by 'beliefs'; keys of 'bench' that let a run grow: .*models"),
        ({"protocols": ["UG1"]}, "holds an episode that the new configuration lacks"),
        ({"replicates": 0}, "at least 1; got 0"),
        ({"models": ["nobody", "tit_for_tat"]}, r"bench\.models\[0\]: There is no policy 'nobody'"),
    ],
)
def test_a_wrong_extension_changes_nothing(tmp_path, changes, message):
    path = tmp_path / "run.db"
    bench(["tit_for_tat"], protocols=["TG1"], path=path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=message):
        extend(path, **changes)
    assert path.read_bytes() == before


def test_an_extension_that_breaks_off_goes_on(tmp_path):
    class Enough(Exception):
        pass

    def stop(progress):
        if progress.done == 12:
            raise Enough

    path = tmp_path / "run.db"
    bench(["tit_for_tat"], protocols=["TG1"], path=path)
    with pytest.raises(Enough):
        extend(path, protocols=["TG1", "UG1"], progress=stop, concurrency=1)
    assert Run(path).manifest["status"] == "failed"
    resume(path)
    result = report(path)
    assert result.ended == result.planned > 12


def test_a_run_whose_study_is_unknown_says_what_is_missing(tmp_path):
    path = tmp_path / "run.db"
    bench(["random"], protocols=["TG1"], path=path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE manifest SET value = '\"ranking\"' WHERE key = 'kind'")
    with pytest.raises(UsageError, match=r"no study 'ranking'; .* Install the package that"):
        load(path)


def test_a_kind_is_given_once():
    class Config(StudyConfig):
        kind: ClassVar[str] = "bench"

    class Another(BenchStudy):
        config_type = Config

    with pytest.raises(UsageError, match="There is a study of kind 'bench' already"):
        STUDIES.register(Another)


def test_a_configuration_holds_policies_as_objects_and_describes_them():
    config = PlayConfig(environment="trust-v0", policies=[TitForTat(), "random"])
    assert config.as_json()["policies"][1] == "random"
    assert config.as_json()["policies"][0]["name"] == "tit_for_tat"
    assert BenchConfig(models="random").models == ("random",)
