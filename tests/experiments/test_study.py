"""Studies: configurations, files, extending, and what is the same for every kind."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.agents import CallablePolicy, Decision, Policy, TitForTat
from ludens.errors import UsageError
from ludens.experiments import (
    STUDIES,
    Run,
    RunAbortedError,
    StoreError,
    Study,
    StudyConfig,
    as_toml,
    export,
    extend,
    load,
    parse_study,
    play,
    report,
    resume,
)
from ludens.experiments.av import AdoptionConfig, AdoptionStudy, moral_machine
from ludens.experiments.bench.study import BenchConfig, BenchStudy, bench
from ludens.experiments.play.study import PlayConfig
from ludens.experiments.study.engine import run_study
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
    (
        '[bench]\nmodels = ["random"]\n"a b" = 1',
        r'^bench\."a b": there is no such key; there are address, beliefs, ',
    ),
    (
        '[implant]\nsource = "a.db"\nsentences = {"c-d" = [5]}',
        r'^implant\.sentences\."c-d"\[0\]: this should be a valid string; got 5\.$',
    ),
    (
        '[implant]\nsource = "a.db"\nsentences = {str = 5}',
        r"^implant\.sentences\.str: this should be a valid",
    ),
    (
        '[adoption]\nagents = ["random"]\nregulation = {mandate = true}',
        r"^adoption\.regulation: there is no such key; it belongs under 'game'\.$",
    ),
    ('[pricing]\nfirms = ["nash"]\nqualities = [2]', r"^pricing\.qualities: .* it belongs under 'market'\.$"),
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


def test_what_pydantic_calls_a_member_of_a_union_is_no_key():
    class Config(StudyConfig):
        kind = "mine"
        either: str | list[dict[str, int]] = ""

    with pytest.raises(UsageError, match=r"^mine\.either: this should be a valid string"):
        Config(either=3)
    with pytest.raises(UsageError, match=r"^mine\.either: this should be a valid string"):
        Config(either=[{"a": "x"}])


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"models": [{"spec": "altruist:0.9", "label": "A"}]},
            "'A' is 'homo_economicus' in the run and would now be",
        ),
        (
            {"models": [{"spec": "homo_economicus", "label": "A"}, {"spec": "grim", "label": "random"}]},
            "'random' belongs to a reference policy",
        ),
    ],
)
def test_no_policy_comes_in_the_place_of_another(tmp_path, change, message):
    path = tmp_path / "run.db"
    bench([{"spec": "homo_economicus", "label": "A"}], protocols=["TG1"], path=path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match=message):
        extend(path, **change)
    assert path.read_bytes() == before


def test_a_run_that_broke_off_is_not_continued_with_another_policy(tmp_path):
    class Enough(Exception):
        pass

    def stop(progress):
        if progress.done == 3:
            raise Enough

    path = tmp_path / "run.db"
    with pytest.raises(Enough):
        bench(["tit_for_tat"], protocols=["TG1", "UG1"], path=path, progress=stop, concurrency=1)
    another = [{"spec": "altruist:0.9", "label": "tit_for_tat"}]
    with pytest.raises(
        UsageError, match=r"'tit_for_tat' is 'tit_for_tat' in the run and would now be 'altruist:0.9'"
    ):
        resume(path, models=another)
    assert resume(path, models=["tit_for_tat"]).manifest["status"] == "done"


@pytest.mark.parametrize(
    ("begin", "changes", "message"),
    [
        (
            lambda **run: moral_machine([{"spec": "utilitarian", "label": "A"}], scenarios=6, **run),
            {"models": [{"spec": "random", "label": "A"}]},
            "'A' is 'utilitarian' in the run and would now be 'random'",
        ),
        (
            lambda **run: run_study(
                AdoptionStudy(AdoptionConfig(agents=["utilitarian", "random"], game={"people": 4}, rounds=2)),
                **run,
            ),
            {"agents": ["utilitarian", "homo_economicus"]},
            r"'agents\[1\]' is 'random' in the run and would now be 'homo_economicus'",
        ),
    ],
)
def test_no_policy_takes_over_where_a_run_of_another_kind_broke_off(tmp_path, begin, changes, message):
    class Enough(Exception):
        pass

    def stop(progress):
        if progress.decisions == 2:
            raise Enough

    path = tmp_path / "run.db"
    with pytest.raises(Enough):
        begin(path=path, progress=stop)
    with pytest.raises(UsageError, match=message):
        resume(path, **changes)
    assert resume(path).manifest["status"] == "done"


def test_a_label_names_a_policy_in_every_study(tmp_path):
    named = {"spec": "homo_moralis:0.5", "label": "kind"}
    run = play("trust-v0", [named, "random"], path=tmp_path / "run.db")
    assert run.table()[0]["player_0"] == "kind"
    assert {record.policy for record in run.decisions()} == {"kind", "random"}


def test_a_run_with_python_objects_is_extended_when_they_are_given_again(tmp_path):
    path = tmp_path / "run.db"
    mine = CallablePolicy(lambda observation: 0, "mine")
    play("trust-v0", [mine, "random"], episodes=2, path=path)
    with pytest.raises(UsageError, match=r"play\.policies\[0\]: the policy 'mine' was a Python object"):
        extend(path, episodes=4)
    assert len(extend(path, episodes=4, policies=[mine, "random"]).episodes()) == 4


def test_an_aborted_run_does_not_grow(tmp_path):
    class Silent(Policy):
        name = "silent"

        def decide(self, turn, rng):
            return Decision(None, "invalid", on_invalid="abort")

    path = tmp_path / "run.db"
    with pytest.raises(RunAbortedError):
        play("trust-v0", Silent(), episodes=2, path=path)
    before = Run(path).manifest
    with pytest.raises(StoreError, match="was aborted and cannot grow"):
        extend(path, episodes=4, policies=Silent())
    assert Run(path).manifest == before


@pytest.mark.parametrize("name", ["run.html", "run.csv", "run.JSON", "run.toml"])
def test_a_run_is_not_kept_in_the_place_of_its_tables(tmp_path, name):
    with pytest.raises(UsageError, match=r"cannot hold a run: name a file that ends in \.db"):
        play("trust-v0", "random", path=tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_no_table_replaces_its_run(tmp_path):
    path = tmp_path / "run.db"
    play("trust-v0", "random", path=path)
    other = path.rename(tmp_path / "run.json")
    with pytest.raises(UsageError, match="is the run itself"):
        export(other, other, table="episodes")
    with pytest.raises(StoreError, match=r"cannot be written to .*: name another folder"):
        export(other, other / "x")


def test_a_run_that_has_hardly_begun_is_exported(tmp_path):
    class Enough(Exception):
        pass

    path = tmp_path / "run.db"

    def once(progress):
        if progress.decisions == 1:
            raise Enough

    with pytest.raises(Enough):
        play("trust-v0", "random", episodes=3, path=path, progress=once, concurrency=1)
    written = export(path, tmp_path / "tables")
    assert set(written) == {"decisions", "episodes"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[bench]\nself = 1\nmodels = ['random']", r"^bench\.self: there is no such key"),
        (
            "[bench]\nmodels = [{spec = 'openai/x', temperature = nan}]",
            r"^bench\.models\[0\]: temperature must be",
        ),
        (
            "[play]\nenvironment = {id = 'trust-v0', payoffs = [nan, 1]}\npolicies = 'random'",
            r"payoffs\[0\] must be",
        ),
        ("[x]\ny = " + "[" * 3000, "^this is no TOML"),
    ],
)
def test_what_a_file_cannot_mean_is_one_sentence(text, message):
    with pytest.raises(UsageError, match=message):
        parse_study(text)


def test_an_environment_s_option_may_be_called_anything(tmp_path):
    with pytest.raises(UsageError, match=r"has no option 'environment'"):
        play(("trust-v0", {"environment": "a"}), "random", path=tmp_path / "run.db")


def test_arrays_in_options_are_kept_as_lists(tmp_path):
    run = play(("trust-v0", {"payoffs": np.array([80, 60, 30, 20.0])}), "random", path=tmp_path / "run.db")
    assert run.manifest["config"]["environment"]["payoffs"] == [80, 60, 30, 20]
