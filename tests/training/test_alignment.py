"""An alignment's folder: what goes in, how it goes on, and what its report says."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager
from dataclasses import replace

import pytest

from ludens.cli import app
from ludens.errors import LudensError, UsageError
from ludens.experiments import Run
from ludens.experiments.bench.study import bench
from ludens.experiments.measures.intervals import wilson
from ludens.experiments.play.study import PlayConfig, PlayStudy
from ludens.experiments.runs.budget import Budget, BudgetSpentError
from ludens.experiments.study.engine import complete
from ludens.training import DataSet, Payoffs
from ludens.training.alignment import (
    Plan,
    Sizes,
    align,
    figures,
    load_result,
    make_plan,
    read_plan,
    stages,
)
from ludens.training.alignment.allowance import Allowance
from ludens.training.alignment.files import BASE_DIRECT, GREEDY, PERSONA_DIRECT, TUNED, Files
from ludens.training.alignment.plan import QUICK, SMALL, AlignmentError, open_folder
from ludens.training.alignment.report import write_report
from ludens.training.alignment.stages import data_of, policies_under_test, questions_of
from ludens.training.alignment.tables import kappa_text, needed
from ludens.training.alignment.terminal import print_result
from ludens.training.evaluation.exam import PolicyUnderTest, examine
from ludens.training.evaluation.repeated import draw_matches, play_repeatedly
from ludens.training.evaluation.sets import TAUGHT
from ludens.training.evaluation.transfer import PAIRS, ask_dilemmas, play_market
from tests.experiments.test_resume import by_prompt
from tests.loopback import Loopback

EMBEDDED = "local/smollm2-135m"
SIZES = Sizes(held_out=24, others=8, thinking=0, periods=6, studies=(2,), repeated=3, matches=3)


def plan(**settings):
    return make_plan(EMBEDDED, "moralis", kappa=0.5, examples=128, sizes=SIZES, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reasoning": "verse"}, "Reasoning is one of"),
        ({"reasoning": "prose", "surfaces": 10}, "steps alone"),
        ({"reasoning": "prose", "domains": ["av"]}, "steps alone"),
        ({"reasoning": "prose", "families": ["public_goods"]}, "steps alone"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_there_is_a_folder(settings, message):
    with pytest.raises(UsageError, match=message):
        plan(**settings)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.95, 1.0])
def test_as_many_questions_as_an_interval_of_ten_points_on_either_side_needs(share):
    enough = needed(share, 8)
    found, fewer = wilson(share * enough, enough), wilson(share * (enough - 1), enough - 1)
    assert max(share - found.low, found.high - share) <= 0.1
    assert max(share - fewer.low, fewer.high - share) > 0.1


def test_all_held_out_questions_are_asked_where_domains_share_the_test_split():
    wanted = plan(domains=["games", "av", "pricing"], surfaces=10)
    asked = questions_of(wanted, stages._data_of(wanted))
    assert sum(question.set == "held-out" for question in asked) == SIZES.held_out


def stopping_at(last, begun):
    """Listens to an alignment's stages, and stops it like Ctrl-C where `last` would begin."""

    @contextmanager
    def stage(name):
        begun.append(name)
        if name == last:
            raise KeyboardInterrupt
        yield None

    return stage


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Everything but the training, with policies whose scores are known in the places of models."""
    wanted = plan()
    files = Files(open_folder(tmp_path_factory.mktemp("align") / "moral", wanted))
    asked = questions_of(wanted, data_of(wanted, files))
    chairs = {
        "before": {BASE_DIRECT: "random", PERSONA_DIRECT: "quantal:kappa=0,noise=2"},
        "after": {TUNED: "homo_moralis:0.5"},
    }
    for when, who in chairs.items():
        examine(
            [PolicyUnderTest(label, {"spec": spec}) for label, spec in who.items()],
            asked,
            files.run(when, "exam"),
        )
        models = [{"label": label, "spec": spec} for label, spec in who.items()]
        bench(models, framings=("neutral",), path=files.run(when, "protocols"))
        tested = [PolicyUnderTest(label, {"spec": spec}) for label, spec in who.items()]
        matches = draw_matches(data_of(wanted, files), wanted.preferences, games=SIZES.matches)
        play_repeatedly(
            tested, matches, files.run(when, "repeated"), rounds=SIZES.repeated, target=wanted.preferences
        ).close()
        respondent = "homo_economicus" if when == "before" else "homo_moralis:0.5"
        ask_dilemmas(respondent, files.run(when, "vehicles"), SIZES.studies)
        play_market("random" if when == "before" else "nash", files.run(when, "pricing"), SIZES.periods)
    taught = [question for question in asked if question.set in TAUGHT]
    examine([PolicyUnderTest(GREEDY, {"spec": "homo_economicus"})], taught, files.run("after", "greedy"))
    models = [{"label": GREEDY, "spec": "homo_economicus"}]
    bench(models, framings=("neutral",), path=files.run("after", "greedy-protocols"))
    return files


@pytest.fixture(scope="module")
def written(folder):
    return write_report(folder.folder)


def test_known_players_come_out_as_they_are(written):
    found = written
    assert found.policies == (BASE_DIRECT, PERSONA_DIRECT, TUNED, GREEDY)
    assert found.score(GREEDY, "new families") is None
    assert found.score(GREEDY, "partner cooperates").cooperation.value == 0
    for name in ("held-out", "new families", "two digits", "story", "twin"):
        assert found.score(TUNED, name).agreement.value == 1
        assert found.score(BASE_DIRECT, name).agreement.value == pytest.approx(0.5)
    tuned, base, persona = (found.kappa(who).alone for who in (TUNED, BASE_DIRECT, PERSONA_DIRECT))
    assert tuned.above(persona)
    assert tuned.above(found.kappa(GREEDY).alone)
    assert kappa_text(base) == "not identified"
    assert tuned.estimate.low < 0.5 < tuned.estimate.high
    before, after = (measures[0] for measures in found.dilemmas.values())
    assert max(e.value for e in before.approval.values()) < max(e.value for e in after.approval.values())
    assert found.missing == ("tune", "general ability")
    persisting = {each.policy: each.last.value for each in found.persistence if each.partner == "random"}
    assert persisting[TUNED] == 1
    assert persisting[BASE_DIRECT] == pytest.approx(0.5)
    assert found.markets["after"].prices == pytest.approx([found.markets["after"].nash] * 6)


def test_prices_in_markets_of_tables_are_drawn_beside_the_oracles(written):
    path = written.markets["after"]
    names = ("before", "after", *(f"table, {pair}" for pair in PAIRS))
    drawn = figures.prices(replace(written, markets=dict.fromkeys(names, path)))
    lines = drawn.axes[0].get_legend().get_texts()
    assert len({line.get_text() for line in lines}) == 6


def test_the_page_is_one_file_that_asks_nothing_of_the_network(folder, written):
    text = folder.report.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", text)
    for words in (
        "Whose choices are they?",
        "Does it react to incentives?",
        "Which weight do the choices reveal?",
        "What changed in the published protocols?",
        "What does it do in a market?",
        "Vehicles, as transfer",
        "Agreement by round",
        "Unfinished: tune, general ability",
        "homo moralis κ=0.5",
        "free of noise",
    ):
        assert words in text
    numbers = json.loads(folder.numbers.read_text(encoding="utf-8"))
    assert numbers["plan"]["preferences"]["kappa"] == 0.5
    assert {score["policy"] for score in numbers["scores"]} == {
        BASE_DIRECT, PERSONA_DIRECT, TUNED, GREEDY,
    }  # fmt: skip
    assert numbers == json.loads(json.dumps(numbers, allow_nan=False))


def test_the_terminal_shows_every_set_in_eighty_columns(written):
    import io

    from rich.console import Console

    out = io.StringIO()
    print_result(written, Console(file=out, width=80))
    for words in (
        "held-out",
        "partner cooperates",
        "two digits",
        "tuned",
        "κ in the protocols",
        "report.html",
    ):
        assert words in out.getvalue()


def test_the_base_need_not_be_asked_for_every_tuning(tmp_path):
    sizes = Sizes(
        held_out=16, others=0, thinking=0, protocols=("SPD1", "TG5"), periods=0, studies=(),
        perplexity=False, compared=False, greedy=False,
    )  # fmt: skip
    wanted = make_plan(EMBEDDED, "economicus", examples=64, sizes=sizes, batched=True)
    files = Files(open_folder(tmp_path / "again", wanted))
    data = data_of(wanted, files)
    asked = questions_of(wanted, data)
    examine([PolicyUnderTest(TUNED, {"spec": "homo_economicus"})], asked, files.run("after", "exam"))
    models = [{"label": TUNED, "spec": "homo_economicus"}]
    bench(models, framings=("neutral",), protocols=sizes.protocols, path=files.run("after", "protocols"))
    found = write_report(files.folder)
    assert (found.missing, found.policies) == (("tune",), (TUNED,))
    assert found.score(TUNED, "held-out").agreement.value == 1
    assert "Does it react to incentives?" in files.report.read_text(encoding="utf-8")
    (tuned,) = policies_under_test(wanted, files, "after", data)
    assert tuned.spec["spec"] == f"local/{files.tuned}"

    begun = []
    with pytest.raises(KeyboardInterrupt):
        align(wanted, files.folder, stage=stopping_at("tune", begun))
    assert begun == ["data", "tune"]


def test_what_stopped_after_thinking_has_a_report(folder, tmp_path):
    files = Files(open_folder(tmp_path / "begun", plan()))
    shutil.copytree(folder.data, files.data)
    shutil.copy(folder.run("before", "exam"), files.run("before", "thinking"))
    found = write_report(files.folder)
    assert "before: exam" in found.missing
    assert found.slopes


def test_the_report_command_prints_json(folder):
    from typer.testing import CliRunner

    ran = CliRunner().invoke(app, ["align", "report", str(folder.folder), "--json"])
    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["missing"] == ["tune", "general ability"]
    shown = CliRunner().invoke(app, ["show", str(folder.run("after", "exam"))])
    assert (shown.exit_code, TUNED in shown.stdout, "held-out" in shown.stdout) == (0, True, True)
    alone = {found["policy"]: found["alone"] for found in json.loads(ran.stdout)["kappa"]}
    assert alone[TUNED]["free_of_noise"]


def test_a_plan_survives_its_file_and_a_folder_holds_one_plan(tmp_path):
    wanted = plan(families=("trust",), seed=4)
    open_folder(tmp_path / "a", wanted)
    assert read_plan(tmp_path / "a") == wanted
    assert open_folder(tmp_path / "a", wanted) == tmp_path / "a"
    with pytest.raises(UsageError, match=r"another alignment .*seed"):
        open_folder(tmp_path / "a", plan(families=("trust",), seed=5))


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "diary.txt").write_text("dear diary", encoding="utf-8")
    with pytest.raises(UsageError, match="not empty"):
        open_folder(tmp_path, plan())
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]
    with pytest.raises(UsageError, match="holds no alignment"):
        read_plan(tmp_path)
    (tmp_path / "plan.json").write_text("{", encoding="utf-8")
    with pytest.raises(AlignmentError, match="cannot be read"):
        read_plan(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["local/smollm2-135m", "--to", "moralis"], "needs its weight"),
        (["local/smollm2-135m", "--to", "economicus", "--kappa", "0.3"], "κ = 0"),
        (["local/smollm2-135m", "--to", "moralis", "--kappa", "1.5"], "kappa"),
        (["openai/gpt-4o-mini", "--to", "economicus"], "ludens align provider"),
        (["local/./nowhere.gguf", "--to", "economicus"], "nowhere.gguf"),
        (["local/smollm2-135m", "--to", "economicus", "--games", "chess"], "chess"),
        (["local/smollm2-135m", "--to", "economicus", "--protocols", "SPD9"], "SPD9"),
        (["local/smollm2-135m", "--to", "economicus", "--examples", "0"], "examples"),
        (["local/smollm2-135m", "--to", "economicus", "--questions", "0"], "held_out"),
        (["local/smollm2-135m", "--to", "economicus", "--studies", "9"], "no study 9"),
        (["local/smollm2-135m", "--to", "economicus", "--studies", "x"], "--studies"),
        (
            ["local/smollm2-135m", "--to", "economicus", "--quick", "--examples", "9"],
            "--examples has no effect",
        ),
        (["local/smollm2-135m", "--to", "economicus", "--max-calls", "x"], "--max-calls"),
        (["local/smollm2-135m", "--to", "economicus", "--max-calls", "0"], "budget's calls"),
    ],
)
def test_wrong_usage_is_one_sentence_and_writes_nothing(arguments, words, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(app, ["align", *arguments])
    assert ran.exit_code in (1, 2)
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not list(tmp_path.iterdir())


def test_what_training_needs_is_said_before_anything_is_done(tmp_path, monkeypatch):
    import importlib.util

    from typer.testing import CliRunner

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "trl" else real(name, *more)
    )
    ran = CliRunner().invoke(app, ["align", EMBEDDED, "--to", "economicus", "--out", str(tmp_path / "a")])
    assert ran.exit_code == 1
    assert "ludens[train]" in ran.stderr
    assert not (tmp_path / "a").exists()


def test_ranges_are_checked_before_anything_is_written(tmp_path):
    assert plan(payoffs=[Payoffs(1, 9)]) == plan(payoffs=(1, 9)) == plan(payoffs=Payoffs(1, 9))
    for wrong in ((), (1, 2), (1, 9, 2), "19", [Payoffs(1, 9, 8)], (1, 10**20), [Payoffs(1, 9), (1, 2)]):
        with pytest.raises(UsageError, match="ayoff"):
            plan(payoffs=wrong)
    open_folder(tmp_path / "a", plan(payoffs=[Payoffs(1, 9), Payoffs(10, 90, 5)]))
    with pytest.raises(UsageError, match="payoffs 1-9 and 10-90 in steps of 5"):
        open_folder(tmp_path / "a", plan())


def test_processes_are_as_many_as_there_are_gpus_at_most(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="there are 1"):
        align(plan(processes=2), tmp_path / "a")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UsageError, match="no GPU"):
        align(plan(device="cuda"), tmp_path / "a")
    assert not (tmp_path / "a").exists()
    with pytest.raises(UsageError, match="multiple of 3"):
        plan(processes=3, batch_size=4)
    assert plan(processes=3).recipe().batch == 3


def test_a_data_set_alone(tmp_path):
    from typer.testing import CliRunner

    def made(name, *more):
        line = ["align", "data", str(tmp_path / name), "--to", "moralis", "--kappa", "0.5", "--json"]
        return CliRunner().invoke(app, [*line, "--examples", "40", *more])

    ran = made("d")
    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["examples"]["train"] == 40
    assert (tmp_path / "d" / "train.jsonl").exists()
    assert made("e", "--payoffs", "1-5,10-50:10").exit_code == 0
    payoffs = {value for each in DataSet.read(tmp_path / "d").train for value in each.payoffs}
    assert max(payoffs) > 9  # what a model would be tuned on
    payoffs = {value for each in DataSet.read(tmp_path / "e").train for value in each.payoffs}
    assert payoffs <= {*range(1, 6), 10, 20, 30, 40, 50}
    assert max(payoffs) > 5 > min(payoffs)
    for wrong in ("9", "9-1", "1-9;10-90", ""):
        ran = made("f", "--payoffs", wrong)
        assert ran.exit_code == 2
        assert "ayoffs" in ran.stderr
    assert not (tmp_path / "f").exists()


def test_the_embedded_model_is_aligned_stopped_anywhere_and_gone_on_with(tmp_path):
    """Eight examples teach nothing; what counts is that every stage does its real work, once."""
    pytest.importorskip("trl")
    sizes = Sizes(
        held_out=1, others=0, thinking=1, protocols=("UG1",), periods=0, studies=(), perplexity=False
    )
    wanted = make_plan(
        EMBEDDED, "economicus", families=("ultimatum",), examples=8, paraphrases=False, sizes=sizes
    )
    with pytest.raises(KeyboardInterrupt):
        align(wanted, tmp_path / "a", stage=stopping_at("tune", []))
    exam = (tmp_path / "a" / "before-exam.db").read_bytes()
    files = align(wanted, tmp_path / "a")
    assert files.run("before", "exam").read_bytes() == exam
    assert files.gguf.stat().st_size > 1_000_000
    found = load_result(files.folder)
    assert found.missing == ()
    assert found.tuning["losses"]
    tuned = found.score(TUNED, "held-out")
    assert tuned.answered == tuned.asked == 1
    assert found.samples[0].tuned
    trained, page = files.card.read_bytes(), files.report.read_text(encoding="utf-8")
    assert "How was it trained?" in page or len(found.tuning["losses"]) < 2
    align(wanted, tmp_path / "a")
    assert files.card.read_bytes() == trained


def test_homo_moralis_is_trained_on_payoffs_of_one_and_two_digits_unless_told_otherwise(tmp_path):
    moral = make_plan("local/smollm2-135m", "moralis", kappa=0.5)
    assert moral.ranges == (Payoffs(1, 9), Payoffs(10, 90, 5))
    assert make_plan("local/smollm2-135m", "economicus").ranges == (Payoffs(1, 9), Payoffs(10, 99))
    quick = make_plan("local/smollm2-135m", "moralis", kappa=0.5, held=True, **QUICK)
    assert Plan.from_config(json.loads(json.dumps(quick.to_config()))) == quick
    assert quick.tabled
    chosen = replace(moral, payoffs=(Payoffs(1, 5),), examples=24)
    assert Plan.from_config(json.loads(json.dumps(chosen.to_config()))) == chosen
    for plan, largest in ((chosen, 5), (replace(chosen, payoffs=None), 90)):
        data = data_of(plan, Files(tmp_path / str(largest)))
        assert max(value for each in data.train for value in each.payoffs) > largest / 2
        assert all(value <= largest for each in data.train for value in each.payoffs)


def test_a_dry_run_counts_the_questions_and_writes_nothing(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    asked = ["align", "local/smollm2-135m", "--to", "moralis", "--kappa", "0.5", "--small", "--dry-run"]
    ran = CliRunner().invoke(app, asked)
    assert ran.exit_code == 0
    plan = make_plan("local/smollm2-135m", "moralis", kappa=0.5, sizes=SMALL)
    files = Files(tmp_path / "kept")
    assert "Together" in ran.stdout
    assert not list(tmp_path.iterdir())
    questions = questions_of(plan, data_of(plan, files))
    told = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert told["questions"]["before: exam"] == 2 * len(questions)  # directly, and with the persona
    assert told["questions"]["after: exam"] == len(questions)
    assert told["questions"]["before: pricing"] == SMALL.periods
    assert told["total"] == sum(told["questions"].values())


def test_an_alignment_shares_a_cache(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from ludens.experiments.runs.caching import cache_folder

    def align_with(*given, **more):
        raise LudensError(f"The cache is {cache_folder()}.")

    monkeypatch.setattr("ludens.training.alignment.stages._align", align_with)
    pytest.importorskip("trl")
    asked = ["align", "local/smollm2-135m", "--to", "economicus", "--yes", "--out", str(tmp_path / "a")]
    ran = CliRunner().invoke(app, [*asked, "--cache", str(tmp_path / "kept")])
    assert ran.exit_code == 1
    assert f"The cache is {tmp_path / 'kept'}." in ran.stderr


def test_all_questions_of_an_alignment_have_one_budget(tmp_path):
    def play(allowance, path):
        with allowance.of(path) as budget:
            config = PlayConfig(
                environment="prisoners_dilemma-v0", policies=(model, "random"), episodes=6, budget=budget
            )
            complete(PlayStudy(config), path)

    first, second = tmp_path / "before-exam.db", tmp_path / "after-exam.db"
    with Loopback(otherwise=by_prompt) as server:
        model = {"spec": "openai/loopback", "api_base": server.url, "api_key": "none", "elicit": "sample"}
        small = Allowance(tmp_path, Budget(calls=9, tokens=10**6))
        play(small, first)
        with pytest.raises(BudgetSpentError, match=r"of .* is spent \(9 of 9 calls\).*--max-calls 18, and"):
            play(small, second)
        with pytest.raises(BudgetSpentError, match=r"9 of 9 calls"):
            play(small, tmp_path / "after-protocols.db")
        assert not (tmp_path / "after-protocols.db").exists()
        play(small, first)  # it is done, and needs nothing
        assert server.count == 9
        play(Allowance(tmp_path, Budget(calls=12)), second)
        assert server.count == 12


def test_an_alignment_asks_no_more_than_its_budget(tmp_path):
    pytest.importorskip("xllamacpp")
    pytest.importorskip("trl")
    wanted = make_plan(EMBEDDED, "economicus", examples=32, sizes=replace(SMALL, held_out=1))
    with pytest.raises(BudgetSpentError, match=r"2 of 2 calls"):
        align(wanted, tmp_path / "a", budget=Budget(calls=2))
    with Run(Files(tmp_path / "a").run("before", "exam")) as run:
        assert run.spending().calls == 2


def test_sizes_take_lists_and_refuse_no_protocols():
    assert Sizes(studies=[2], protocols=["TG5"]) == Sizes(studies=(2,), protocols=("TG5",))
    with pytest.raises(UsageError, match="at least one protocol"):
        Sizes(protocols=())
