"""What a benchmark shows of the way in which a model answered: answer mass, low mass, refusals by reason."""

from __future__ import annotations

import csv
import io
import logging
from collections import Counter

import pytest
from rich.console import Console

from ludens.agents import LLMPolicy
from ludens.agents.policy import Call, Decision
from ludens.envs import PROTOCOLS
from ludens.envs.tree.questions import questions
from ludens.experiments import Run, RunInterrupted, export, load, play, resume
from ludens.experiments.bench.page import page
from ludens.experiments.bench.result import to_json
from ludens.experiments.bench.study import BenchConfig, BenchStudy, bench
from ludens.experiments.bench.terminal import print_summary
from ludens.experiments.bench.trial import LEAST_TRIED, TRIED, tried_first
from ludens.experiments.estimates.estimate import EstimateRequest, estimate
from ludens.experiments.report.answering import answering_tables
from ludens.experiments.runs.records import EpisodeSpec
from ludens.experiments.study.engine import load_result
from tests.experiments.synthetic import record
from tests.loopback import Loopback, filtered, refusing, say, weighing

GAMES = {"protocols": ("TG3", "UG3"), "framings": ("neutral",)}
MODEL = "openai/loopback"


def served(server, **settings):
    base = {"spec": MODEL, "api_base": server.url, "api_key": "none"}
    return base | {"retry_wait": 0.01, "transport_retries": 1, "retries": 0} | settings


def answered(tmp_path, reaction, name="run", **config):
    with Loopback(otherwise=reaction) as server:
        result = bench([served(server)], path=tmp_path / f"{name}.db", **GAMES | config)
    return result, next(found for found in result.measures if found.policy == MODEL)


def printed(result, width=80):
    out = io.StringIO()
    print_summary(result, Console(file=out, width=width))
    return " ".join(out.getvalue().split())


def tables(result):
    return {table.title: table for table in page(result).tables}


def test_the_answer_mass_stands_beside_the_shares_by_protocol_and_in_every_file(tmp_path):
    masses = iter([0.2, 0.4] * 100)

    def leaning(request):
        mass = next(masses)
        return weighing(A=0.75 * mass, B=0.25 * mass, Hm=0.001)

    result, found = answered(tmp_path, leaning, concurrency=1)
    assert (found.mass.mean, found.mass.lowest) == (pytest.approx(0.3), pytest.approx(0.2))
    assert set(found.mass_by_protocol) == {"TG3", "UG3"}
    assert (found.mass.choices, found.mass.weighed, found.mass.sampled, found.mass.low_mass) == (8, 8, 0, 0)
    rows = to_json(result)["answer_mass"]
    assert {row["policy"] for row in rows} == {MODEL}
    assert [row["protocol"] for row in rows] == ["TG3", "UG3"]
    assert sum(row["choices"] for row in rows) == 8
    shown = tables(result)
    by_protocol = shown["Answer mass by protocol"]
    assert (by_protocol.names, by_protocol.headers) == ((MODEL,), ("TG3", "UG3"))
    for title in ("Summary", "Cooperation"):
        place = shown[title].headers.index("answer mass")
        assert [row[place].text for row in shown[title].rows][:2] == ["30", "–"]
    assert any("30 per cent of its probability" in warning for warning in page(result).warnings)
    assert "30 per cent of its probability" in printed(result)
    (estimated,) = estimate(result.run_path, EstimateRequest())
    notes = estimated.notes
    assert any("30 per cent of its probability" in note for note in notes)
    files = export(result.run_path, tmp_path / "tables")
    with files["decisions"].open(newline="") as file:
        told = [row["answer_mass"] for row in csv.DictReader(file) if row["policy"] == MODEL]
    assert sorted({round(float(mass), 6) for mass in told}) == [0.2, 0.4]
    with files["answer_mass"].open(newline="") as file:
        assert {row["policy"] for row in csv.DictReader(file)} == {MODEL}


def test_a_mass_that_is_high_is_shown_and_not_warned_of(tmp_path):
    result, found = answered(tmp_path, weighing(A=0.7, B=0.2, Hm=0.001))
    assert found.mass.mean == pytest.approx(0.9)
    assert page(result).warnings == ()
    assert "of its probability" not in printed(result)


def test_low_mass_is_a_status_of_its_own_that_every_count_knows(tmp_path):
    result, found = answered(tmp_path, weighing(Hm=0.9, A=0.01, B=0.01), elicit="logprobs")
    assert (found.low_mass.value, found.invalid.value, found.refused.value) == (1, 0, 0)
    assert found.overall.value is None
    counted = {"valid": 16, "invalid": 0, "refused": 0, "low_mass": 8}
    assert Run(result.run_path).summary().decisions == counted
    reading = tables(result)["Unreadable, refused and forced"]
    row = dict(zip(reading.headings, reading.rows[0], strict=True))
    assert (row["low mass"].text, row["unreadable"].text, row["refused"].text) == ("100", "0", "0")
    assert {row["measure"] for row in to_json(result)["estimates"]} >= {"low_mass"}
    assert "less than 5 per cent of its probability on the options at 8 of 8 questions" in printed(result)


def test_a_model_sampled_in_place_of_its_log_probabilities_is_said_to_be(tmp_path):
    def wordy(request):
        return weighing(Hm=0.9, A=0.01, B=0.01) if request.get("logprobs") else say("B")

    result, found = answered(tmp_path, wordy)
    assert (found.mass.sampled, found.mass.weighed, found.mass.choices) == (8, 8, 0)
    assert (found.invalid.value, found.low_mass.value) == (0, 0)
    assert (found.mass.mean, found.answer_mass.value) == (None, None)
    assert "was sampled at 8 of 8 questions" in printed(result)
    assert "were forced" not in printed(result)
    records = [record for record in result.decisions if record.policy == MODEL]
    assert {record.decision.provenance for record in records} == {"sample"}


def test_refusals_are_shown_by_reason(tmp_path):
    script = iter([say("I'm sorry, but I can't help with that."), refusing(), filtered(), say("A")] * 2)
    result, found = answered(tmp_path, lambda request: next(script), elicit="sample", concurrency=1)
    assert found.refused.value == pytest.approx(6 / 8)
    counts = {(each.reason, each.words): each.count for each in found.refusals}
    words = ("in words", "I'm sorry, but I can't help with …")
    assert counts[words] == 2
    assert sum(counts.values()) == 6
    assert len(counts) >= 2
    assert to_json(result)["refusals"][MODEL][0]["count"] >= 2
    table = tables(result)["Refusals by reason"]
    assert sum(int(row[2].text) for row in table.rows) == 6
    assert "refused 6 of 8 questions" in printed(result)
    assert any("refused 6 of 8 questions" in warning for warning in page(result).warnings)


def test_a_persona_that_makes_a_model_refuse_is_warned_of_before_everything_is_asked(tmp_path, caplog):
    asked_when_warned = []

    class Watch(logging.Handler):
        def emit(self, record):
            asked_when_warned.append((server.count, record.getMessage()))

    watch = Watch()
    logging.getLogger("ludens").addHandler(watch)
    try:
        with Loopback(otherwise=say("I'm sorry, but I can't help with that.")) as server:
            result = bench(
                [served(server)],
                path=tmp_path / "run.db",
                elicit="sample",
                persona="You are a villain.",
                concurrency=1,
            )
            in_all = server.count
    finally:
        logging.getLogger("ludens").removeHandler(watch)
    ((count, warning),) = asked_when_warned
    assert count == round(TRIED * in_all)
    assert f"{MODEL} refused {count} of the first {count} questions" in warning
    assert "under the persona 'You are a villain.'" in warning
    assert "I'm sorry, but I can't" in warning
    assert any("You are a villain." in each for each in page(result).warnings)


def test_a_model_that_answers_is_not_warned_of(tmp_path, caplog):
    script = Counter()

    def seldom(request):
        script["asked"] += 1
        return say("I can't help with that.") if script["asked"] == 1 else say("A")

    with caplog.at_level(logging.WARNING, "ludens"):
        answered(tmp_path, seldom, elicit="sample", concurrency=1)
    assert not [record for record in caplog.records if record.name == "ludens"]


def test_the_first_questions_cover_every_model_and_protocol():
    study = BenchStudy(BenchConfig(models=["openai/one", "openai/two", "random"]))
    specs = [EpisodeSpec(number, labels) for number, labels in enumerate(study.episodes())]
    first = study.first(specs)
    chosen = [spec.labels for spec in specs if spec.index in first]
    assert {labels["policy"] for labels in chosen} == {"openai/one", "openai/two"}
    for model in ("openai/one", "openai/two"):
        own = [labels for labels in chosen if labels["policy"] == model]
        whole = [spec.labels for spec in specs if spec.labels["policy"] == model]
        assert len(own) == round(TRIED * len(whole))
        assert {labels["protocol"] for labels in own} == {labels["protocol"] for labels in whole}
        for name in ("framing", "order", "role"):
            assert {labels[name] for labels in own} == {labels[name] for labels in whole}
    assert study.first(specs) == first
    few = specs[: LEAST_TRIED + 5]
    assert tried_first(few, 0) == {spec.index for spec in specs[:LEAST_TRIED]}
    assert tried_first(few[:3], 0) == {spec.index for spec in specs[:3]}


def test_the_order_of_asking_changes_no_answer(tmp_path, monkeypatch):
    def first_of(request):
        return weighing(A=0.6, B=0.3, Hm=0.001)

    plain, _ = answered(tmp_path, first_of, "plain", seed=3)
    odd = frozenset(range(1, 100, 2))
    monkeypatch.setattr(BenchStudy, "first", lambda self, specs: odd)
    reordered, _ = answered(tmp_path, first_of, "reordered", seed=3)
    assert Run(reordered.run_path).final_table() == Run(plain.run_path).final_table()


def test_a_resumed_run_is_not_warned_of_twice(tmp_path, caplog):
    asked = []

    def sorry(request):
        asked.append(request)
        return say("I'm sorry, but I can't help with that.")

    def stop(progress):
        if progress.done == 20:
            raise KeyboardInterrupt

    with Loopback(otherwise=sorry) as server, caplog.at_level(logging.WARNING, "ludens"):
        with pytest.raises((KeyboardInterrupt, RunInterrupted)):
            bench(
                [served(server)],
                path=tmp_path / "run.db",
                elicit="sample",
                framings=("neutral",),
                concurrency=1,
                progress=stop,
            )
        assert len(asked) == 20
        warned = [record for record in caplog.records if record.name == "ludens"]
        assert len(warned) == 1
        resume(tmp_path / "run.db")
    assert [record for record in caplog.records if record.name == "ludens"] == warned
    assert load_result(BenchStudy, tmp_path / "run.db").ended == len(Run(tmp_path / "run.db").episodes())


def test_playing_a_game_shows_how_a_model_answered(tmp_path):
    with Loopback(otherwise=weighing(A=0.2, B=0.1, Hm=0.001)) as server:
        model = {"api_base": server.url, "api_key": "none", "retry_wait": 0.01}
        run = play(
            ("sequential_prisoners_dilemma-v0", {"protocol": "SPD3"}),
            [LLMPolicy(MODEL, **model), "random"],
            path=tmp_path / "run.db",
            episodes=3,
        )
    study, result = load(run.path)
    shown = {table.title: table for table in study.page(result).tables}
    (row,) = shown["Answer mass"].rows
    assert [cell.text for cell in row] == ["30", str(int(row[1].text)), "0", "0"]
    assert any("30 per cent of its probability" in warning for warning in study.page(result).warnings)
    out = io.StringIO()
    study.show(result, Console(file=out, width=200))
    assert "put 30 per cent of its probability" in out.getvalue()


@pytest.mark.parametrize(("status", "column"), [("low_mass", 3), ("refused", None)])
def test_every_table_of_answers_knows_every_status(status, column):
    turn = questions(PROTOCOLS["SPD4"])["opening"]
    call = Call("x/y", (), "Hm", "invalid", "Hm.", {"logprobs": True}, (0.01, 0.02))
    decisions = [record(turn, "x/y", Decision(None, status, calls=(call,)), episode=n) for n in range(3)]
    titles = {table.title: table for table in answering_tables(decisions)}
    assert [cell.text for cell in titles["Answer mass"].rows[0]][:2] == ["–", "3"]
    if column is not None:
        assert titles["Answer mass"].rows[0][column].text == "3"
    else:
        assert [cell.text for cell in titles["Refusals by reason"].rows[0]] == ["in words", "Hm", "3"]
