"""The report kit: tables as text, pages on which nothing becomes markup, and the report of any run."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from markupsafe import Markup
from rich.console import Console

from ludens.errors import UsageError
from ludens.experiments.report import Block, Cell, Page, Picture, Table, Transcripts, render, report
from ludens.experiments.report.terminal import print_closing, print_table, say
from ludens.experiments.report.transcripts import page_data
from ludens.experiments.runs.database import StoreError
from ludens.experiments.runs.records import EpisodeRecord
from ludens.experiments.study.base import Study
from ludens.experiments.study.config import StudyConfig
from ludens.experiments.study.engine import run_study
from tests.experiments.pages import NASTY, Reader, decoded
from tests.experiments.synthetic import worded

TABLE = Table.of(
    "Choices",
    "In per cent.",
    ["all", ("by role", "first"), ("by role", "second")],
    [
        ("=cmd|'x'", [Cell("−1.5", "−2.0 to 3.0", "n = 3"), "–", "2"]),
        ("a|b <i>", [Cell("4"), "+5", "@sum"]),
    ],
    corner="policy",
    tested=[True, False],
)


def test_a_table_as_markdown_keeps_its_cells_and_no_markup():
    assert TABLE.to_markdown().splitlines() == [
        "| policy | all | by role: first | by role: second |",
        "| --- | ---: | ---: | ---: |",
        r"| =cmd\|'x' | −1.5 (−2.0 to 3.0) | – | 2 |",
        r"| a\|b \<i\> | 4 | +5 | @sum |",
    ]


def test_a_table_as_csv_has_numbers_and_no_formulas():
    rows = list(csv.reader(io.StringIO(TABLE.to_csv())))
    assert rows == [
        ["policy", "all", "all (below)", "by role: first", "by role: second"],
        ["'=cmd|'x'", "-1.5", "-2.0 to 3.0", "–", "2"],
        ["a|b <i>", "4", "", "+5", "'@sum"],
    ]


def test_what_begins_as_a_number_may_still_be_a_formula():
    table = Table.of(
        "t",
        "c",
        ["x"],
        [
            ("-1+cmd|'x'", ["+5 %"]),
            ("+2*3", ["−1.5e-3"]),
            ("-.5&A1 ~~b~~", ["−5 %–+3 %"]),
        ],
    )
    rows = list(csv.reader(io.StringIO(table.to_csv())))
    assert rows[1:] == [
        ["'-1+cmd|'x'", "+5 %"],
        ["'+2*3", "-1.5e-3"],
        ["'-.5&A1 ~~b~~", "-5 %–+3 %"],
    ]
    assert r"| -.5\&A1 \~\~b\~\~ |" in table.to_markdown()


def test_headings_of_neighbours_are_grouped_and_hidden_characters_written_out():
    assert TABLE.groups == (("", 1), ("by role", 2))
    assert Table.of("t", "c", ["x"], [("a", ["1"])]).groups == ()
    copied = Table.of("t", "c", ["a\nb"], [("\u202eevil\n\x1b[31m", ["1\n2"])])
    for text in (copied.to_markdown(), copied.to_csv()):
        assert not {"\x1b", "\u202e"} & set(text)
        assert "a b" in text
        assert "1 2" in text


@pytest.mark.parametrize(
    ("rows", "tested"), [([("a", ["1", "2"])], []), ([("a", [])], []), ([("a", ["1"])], [True, False])]
)
def test_a_table_that_does_not_fit_together_is_refused(rows, tested):
    with pytest.raises(UsageError, match="'t'"):
        Table.of("t", "c", ["x"], rows, tested=tested)


def nasty_page():
    return Page(
        title=NASTY,
        lead=NASTY,
        kind=NASTY,
        warnings=[NASTY, "`ludens resume x` goes on."],
        tables=[Table.of(NASTY, NASTY, [(NASTY, NASTY)], [(NASTY, [Cell(NASTY, NASTY, NASTY)])])],
        blocks=[Block("words", NASTY, [NASTY]), Block("ours", "Ours", Markup("<p><em>kept</em></p>"))],
        transcripts=Transcripts(worded(lambda *_: 0, NASTY, reply=NASTY, protocols=("TG1",))),
        reading=[NASTY, Markup("an <em>oracle</em>")],
        notes=[NASTY],
        facts={NASTY: NASTY},
    )


def test_no_text_of_a_page_becomes_markup():
    text = render(nasty_page())
    reader = Reader(text)
    assert reader.open == []
    assert reader.tags.count("script") == 2
    assert not {"img", "iframe", "object"} & set(reader.tags)
    assert not [entry for entry in reader.attributes if entry[1].startswith("on")]
    assert not {"\x1b", "\u202e", "\u2028"} & set(text)
    assert "<em>kept</em>" in text
    assert "<em>oracle</em>" in text
    assert "<code>ludens resume x</code>" in text


def test_all_decisions_are_on_the_page_whatever_their_study():
    page = nasty_page()
    data, whole = decoded(Reader(render(page)).scripts[0])
    assert len(data["decisions"]) == len(page.transcripts.records) > 0
    for entry, record in zip(data["decisions"], page.transcripts.records, strict=True):
        assert entry["labels"]["node"] == record.node
        assert entry["chosen"] == record.choice
        assert whole(entry["calls"][0]["reply"]) == NASTY


def test_reasoning_that_is_a_note_too_stands_once():
    record = worded(lambda *_: 0, protocols=("TG1",))[0]
    for notes, expected in ((None, True), ({"plans": "because"}, False), ({"plans": "other"}, True)):
        decision = replace(record.decision, reasoning="because", notes=notes)
        data, _ = decoded(page_data(transcripts=Transcripts([replace(record, decision=decision)])))
        assert ("reasoning" in data["decisions"][0]) == expected


def test_every_table_can_be_copied():
    data, _ = decoded(Reader(render(Page("t", "l", tables=[TABLE]))).scripts[0])
    assert data["tables"] == [{"Markdown": TABLE.to_markdown(), "CSV": TABLE.to_csv()}]


def test_a_page_has_no_empty_sections():
    text = render(Page("t", "l", pictures=[Picture("none", "Nothing?", "", None)], facts={"a": "b"}))
    for name in ("pictures", "tables", "transcripts", "reading"):
        assert f'id="{name}"' not in text
        assert f'href="#{name}"' not in text
    assert "Nothing?" not in text
    assert "<dt>a</dt><dd>b</dd>" in text


class CoinConfig(StudyConfig):
    """How often a coin is thrown."""

    kind = "coin"

    throws: int = 2


@dataclass(frozen=True)
class Coins:
    """Throws that are done."""

    done: int
    report_path: Path | None = None


class Coin(Study[CoinConfig, Coins]):
    """Throws a coin."""

    config_type = CoinConfig

    def episodes(self):
        return [{"throw": throw} for throw in range(self.config.throws)]

    def player(self):
        async def play_one(spec, recorder, seeds):
            return EpisodeRecord(spec.index, spec.labels, "done", {})

        return play_one

    def measure(self, run):
        return Coins(sum(episode.status == "done" for episode in run.episodes()))

    def page(self, result):
        return Page("Coins", f"{result.done} throws.")

    def show(self, result, console):
        say(console, f"{result.done} throws")


@pytest.fixture
def coins(tmp_path):
    with run_study(Coin(CoinConfig()), tmp_path / "run.db") as run:
        return run.path


def test_a_run_of_any_study_is_reported_beside_it(coins):
    result = report(coins)
    assert result == Coins(2, coins.with_suffix(".html"))
    assert "2 throws." in result.report_path.read_text(encoding="utf-8")
    assert report(coins, coins.parent / "other.html").report_path.name == "other.html"


def test_a_report_never_takes_the_run_s_place(coins):
    before = coins.read_bytes()
    with pytest.raises(UsageError, match="take the place of the run"):
        report(coins, coins)
    assert coins.read_bytes() == before
    page = coins.rename(coins.with_suffix(".html"))
    with pytest.raises(UsageError, match="take the place of the run"):
        report(page)
    assert page.read_bytes() == before


def test_a_report_that_cannot_be_written_leaves_the_old_one(coins):
    target = coins.with_suffix(".html")
    target.mkdir()
    with pytest.raises(StoreError, match=r"`ludens report .*` writes it"):
        report(coins)
    assert sorted(path.name for path in coins.parent.iterdir()) == ["run.db", "run.html"]


def printed(*actions, width=80):
    out = io.StringIO()
    for action in actions:
        action(Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_the_terminal_shows_the_same_table_and_no_markup_in_names():
    table = Table.of("t", "c", ["x\ny", ("by", "z")], [("[red]a[/red] \x1b[1m", [Cell("1", "0–2"), "2"])])
    out = printed(lambda console: print_table(table, console, names=20))
    for words in ("[red]a[/red]", "x y", "by: z", "0–2"):
        assert words in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_the_closing_lines_say_where_everything_lies_and_never_break_a_path():
    run = "/tmp/" + "long/" * 30 + "[b]run.db"
    out = printed(lambda console: print_closing(console, run, None, unfinished=True), width=40)
    assert out.splitlines() == [
        "", f"{'Report':<13}not written yet", f"{'Run':<13}{run}", f"{'Go on':<13}ludens resume {run}",
    ]  # fmt: skip
