"""The report: one safe, self-contained page that shows every decision, and pictures that stand side by
side."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace

import pytest

from ludens.experiments.bench import figures
from ludens.experiments.bench.metrics import measure
from ludens.experiments.bench.page import page as page_of
from ludens.experiments.bench.result import BenchResult
from ludens.experiments.report.names import number, number_range, percent, policy_name
from ludens.experiments.report.page import render
from ludens.experiments.report.writing import write_report
from ludens.experiments.runs.database import StoreError
from tests.experiments.pages import NASTY, Reader, decoded
from tests.experiments.synthetic import believed, cooperative, worded


def result_of(records, folder, models=("local/model",)):
    labels = [record.labels for record in records]
    config = {
        "models": [{"label": label, "spec": label} for label in models],
        "framings": ["neutral", "story"],
        "replicates": 1,
        "elicit": "auto",
        "beliefs": False,
        "persona": None,
        "protocols": None,
    }
    manifest = {
        "kind": "bench", "config": config, "seed": 0, "started": "2026-01-02T03:04:05+00:00", "git": None,
        "versions": {"python": "3.11", "ludens": "0.1.0"}, "status": "done", "detail": "", "seconds": 12.0,
    }  # fmt: skip
    count = len(records)
    measures = measure(records, labels)
    return BenchResult(
        run_path=folder / "run.db",
        report_path=None,
        models=models,
        measures=measures,
        decisions=tuple(records),
        manifest=manifest,
        planned=count,
        ended=count,
    )


def page(result):
    return render(page_of(result))


def leaning(turn, framing, order):
    return None if turn.game.protocol == "UG2" and order else cooperative(turn, 0.7)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    label = "openai/<b>bold</b>"
    records = [*worded(leaning), *worded(lambda turn, framing, order: 0, label, reply=NASTY)]
    return result_of(records, tmp_path_factory.mktemp("report"), ("local/model", label))


@pytest.fixture(scope="module")
def text(result):
    return page(result)


def test_what_a_model_wrote_never_becomes_markup(text):
    reader = Reader(text)
    assert reader.open == []
    assert reader.tags.count("script") == 2
    assert not {"img", "b", "iframe", "object"} & set(reader.tags)
    assert not [entry for entry in reader.attributes if entry[1].startswith("on")]
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "innerHTML" not in text
    assert "&lt;b&gt;bold" in text


def test_every_decision_can_be_read_with_its_prompt_and_reply(text, result):
    data, whole = decoded(Reader(text).scripts[0])
    assert len(data["decisions"]) == len(result.decisions)
    for entry, record in zip(data["decisions"], result.decisions, strict=True):
        (call,) = entry["calls"]
        labels = entry["labels"]
        assert (labels["protocol"], labels["node"]) == (record.protocol, record.node)
        assert whole(call["reply"]) == record.decision.calls[0].reply
        (message,) = call["messages"]
        assert whole(message[1]) == record.decision.calls[0].messages[0]["content"]
    assert whole(data["decisions"][-1]["calls"][0]["reply"]) == NASTY
    assert len(data["lines"]) == len(set(data["lines"]))


def test_the_page_asks_for_nothing_from_elsewhere(text):
    addresses = [
        value for _, name, value in Reader(text).attributes if name in {"src", "href", "xlink:href", "data"}
    ]
    assert all(address.startswith("#") for address in addresses)
    assert "default-src 'none'" in text
    assert not re.search(r"@import|url\((?!#)", text)


def test_ids_are_used_once(text):
    ids = Counter(value for _, name, value in Reader(text).attributes if name == "id")
    assert [name for name, count in ids.items() if count > 1] == []
    targets = {value[1:] for _, name, value in Reader(text).attributes if name in {"href", "xlink:href"}}
    assert targets <= set(ids)


def test_pictures_come_before_tables_and_tables_before_transcripts(text):
    places = [
        text.index(f'<section id="{name}"') for name in ("pictures", "tables", "transcripts", "reading")
    ]
    assert places == sorted(places)
    assert text.count("<svg ") == 4
    for words in (
        "How cooperative?",
        "react to incentives?",
        "Whose choices are they?",
        "Incentive sensitivity",
    ):
        assert words in text


def test_numbers_in_tables_are_rounded(text):
    cells = re.findall(r"<td[^>]*>(.*?)</td>", text, re.DOTALL)
    assert len(cells) > 100
    assert not [cell for cell in cells if re.search(r"\d\.\d{5}", cell)]


def test_pictures_keep_their_text_as_text_in_the_inks_of_the_page(text):
    pictures = re.findall(r"<svg .*?</svg>", text, re.DOTALL)
    for picture in pictures:
        root = ET.fromstring(picture)
        words = [node.text for node in root.iter() if node.tag.endswith("text")]
        assert "local/model" in words
        assert "var(--ink)" in picture
        assert "DejaVu" not in picture


def test_an_unfinished_run_says_so(result):
    assert "This run is unfinished" not in page(result)
    assert "50 of 336 questions" in page(replace(result, planned=336, ended=50))


def test_own_beliefs_get_a_table_of_their_own(tmp_path):
    records = worded(leaning, framings=("neutral",))
    assert "own stated beliefs" not in page(result_of(records, tmp_path))
    told = records + believed(lambda turn: cooperative(turn, 0.6), "local/model", "neutral")
    assert "own stated beliefs" in page(result_of(told, tmp_path))


def test_a_policy_that_never_answered_is_shown_as_not_measured(tmp_path):
    records = [*worded(lambda turn, framing, order: None), *worded(leaning, "other/model")]
    shown = page(result_of(records, tmp_path, ("local/model", "other/model")))
    assert "not measured" in shown


def test_a_report_of_nothing_but_silence_is_still_a_report(tmp_path):
    shown = page(result_of(worded(lambda turn, framing, order: None), tmp_path))
    assert "Unreadable, refused and forced" in shown


def test_the_report_is_written_whole_beside_the_run(result):
    written = write_report(result, page_of(result), result.run_path)
    assert written.report_path == result.run_path.with_suffix(".html")
    assert written.report_path.read_text(encoding="utf-8") == page(result)
    assert [path.name for path in result.run_path.parent.iterdir()] == ["run.html"]


def test_a_report_that_cannot_be_written_leaves_the_old_one(result, tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match=r"no space left on device.*`ludens report"):
        write_report(result, page_of(result), result.run_path, target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_half_a_surrogate_pair_does_not_stop_the_report(tmp_path):
    records = worded(leaning, framings=("neutral",), protocols=("TG1",), reply="half \ud83d")
    result = result_of(records, tmp_path)
    assert write_report(result, page_of(result), result.run_path).report_path.is_file()


def test_the_same_result_gives_the_same_page(result, text):
    assert page(result) == text


def test_the_readme_picture_is_saved_twice(result, tmp_path):
    png, svg = figures.save_picture(result, tmp_path / "images" / "bench")
    assert png.read_bytes().startswith(b"\x89PNG")
    root = ET.fromstring(svg.read_text(encoding="utf-8"))
    assert "local/model" in [node.text for node in root.iter() if node.tag.endswith("text")]
    assert sorted(path.name for path in png.parent.iterdir()) == ["bench.png", "bench.svg"]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("homo_economicus", "homo economicus"),
        ("homo_moralis:0.5", "homo moralis κ=0.5"),
        ("quantal:kappa=0,noise=8", "quantal κ=0, λ=8"),
        ("homo_moralis:0.5,universalisation=mixed", "homo moralis κ=0.5, universalisation=mixed"),
        ("altruist:0.2", "altruist a=0.2"),
        ("fixed:1.6", "fixed 1.6"),
        ("best reply to fixed:1.6", "best reply to fixed 1.6"),
        ("always:self-protective", "always self-protective"),
        ("their_own:0.3", "their own 0.3"),
        ("my_policies:Cautious", "my_policies:Cautious"),
        ("my_policies.bold:Bold_One:weights/a_b.pt", "my_policies.bold:Bold_One:weights/a_b.pt"),
        ("openai/gpt_x:free", "openai/gpt_x:free"),
    ],
)
def test_policies_are_named_for_people(label, name):
    assert policy_name(label) == name


def test_numbers_are_written_with_a_true_minus_and_no_minus_zero():
    assert (number(-1.25, 1), number(-0.01, 1), number(None), percent(0.495)) == ("−1.2", "0.0", "–", "50")
    assert number_range(replace(measure_of_nothing(), low=-0.02, high=0.013), 1, 100) == "−2.0 to 1.3"


def measure_of_nothing():
    from ludens.experiments.measures.intervals import missing

    return missing("nothing")
