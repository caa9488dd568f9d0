"""Data sets of all domains: prompts are those of the environments, rationales can be checked line by line."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from typer.testing import CliRunner

from ludens.agents.llm.prompts.games import render, render_scale
from ludens.agents.llm.prompts.surfaces import grammar, in_words, is_table, surface
from ludens.agents.llm.prompts.tables import PROGRAMS
from ludens.agents.llm.reading.choices import read_choice
from ludens.agents.llm.reading.points import read_allocation, read_rating
from ludens.cli.entry import app
from ludens.envs import FAMILIES, Scale, questions
from ludens.envs.av.adoption.game import AdoptionGame
from ludens.envs.av.dilemma.studies import STUDIES
from ludens.envs.pricing import Market
from ludens.errors import UsageError
from ludens.preferences import HOMO_ECONOMICUS, Preferences, homo_moralis
from ludens.preferences.av.consequences import dilemma_consequences, points, question_weights
from ludens.preferences.consequences import Weights, weights_of
from ludens.training import DataSet, build_dataset
from ludens.training.data.markets import market_key, reserved_markets
from ludens.training.data.table_rationale import table_rationale
from ludens.training.data.vehicles import adoption_case, dilemma_case, reserved_cases

KAPPAS = (0.0, 0.25, 0.5)
ALL = ("games", "av", "pricing")


@pytest.fixture(scope="module", params=KAPPAS)
def made(request):
    kappa = request.param
    preferences = homo_moralis(kappa) if kappa else HOMO_ECONOMICUS
    return kappa, build_dataset(
        preferences, examples=180, validation=30, test=30, seed=5, domains=ALL, surfaces=60
    )


def everything(data):
    return data.train + data.validation + data.test


class Checked:
    """A reader of rationales: repeats each sum, and each comparison with the largest value so far."""

    def __init__(self, lines, weights):
        self.weights = weights
        self.rows: list[tuple[str, int, int]] = []
        self.values: list[tuple[int, str]] = []
        self.compared = 0
        self.best = None
        self.tied = False
        for line in lines:
            self.read(line)
        assert self.compared == max(0, len(self.values) - 1)

    def read(self, line):
        if row := re.fullmatch(r"(\w+) (\d+) (\d+)", line):
            self.rows.append((row[1], int(row[2]), int(row[3])))
        elif sums := re.fullmatch(r"(\w+): (?:[\d*=]+, )*(\d+)\+(\d+)=(\d+)", line):
            for weight, number, product in re.findall(r"(\d+)\*(\d+)=(\d+)", line):
                assert int(weight) * int(number) == int(product)
                assert int(weight) in (self.weights.alone, self.weights.together)
            assert int(sums[2]) + int(sums[3]) == int(sums[4])
            self.values.append((int(sums[4]), sums[1]))
        else:
            both = re.fullmatch(r"(\d+) (\w+), (\d+) (\w+): (the same|(\d+) (\w+))", line)
            assert both, line
            first, second = (int(both[1]), both[2]), (int(both[3]), both[4])
            if not self.compared and (not self.values or self.bare):
                self.bare, self.values = True, [first]
            if self.bare:
                self.values.append(second)
            assert first == (self.best or self.values[0])
            assert second == self.values[self.compared + 1]
            self.compared += 1
            if first[0] == second[0]:
                assert both[5] == "the same"
                self.tied = self.tied or first[1] != second[1]
                self.best = first
            else:
                self.tied = self.tied and second[0] < first[0]
                self.best = max(first, second, key=lambda each: each[0])
                assert (int(both[6]), both[7]) == self.best

    bare = False


def case_weights(example, kappa):
    if example.family == "av_dilemma":
        return question_weights(example.node, kappa)
    return weights_of(kappa)


def expected_line(example, weights):
    """Return what the first line says of acts, and of what counts, as the question has it."""
    columns = {(0, 0): "neither: the same", (1, 0): "alone", (0, 1): "all", (1, 1): "both"}
    counts = columns[min(weights.alone, 1), min(weights.together, 1)]
    acts = {"swerve": "swerve", "stay on course": "stay"}
    text = example.prompt[1]["content"]
    if example.asks != "rating":
        found = re.findall(
            r"^([AB]): (?:cars that )?(swerve|stay on course)", text, re.MULTILINE | re.IGNORECASE
        )
        named = {acts[act.lower()]: label for label, act in found}
    else:
        (asked,) = set(re.findall(r"to (swerve|stay on course) in (?:a case|cases) like this\?", text))
        named = {acts[asked]: ""}
    if example.asks != "choice":
        rated = next(iter(named))
        named = {rated: "yes", {"stay": "swerve", "swerve": "stay"}[rated]: "no"}
    return [f"{act}={answer}" for act, answer in named.items()], counts


def shown_rows(example):
    """Return label, own and common number of each row as the text of a prompt shows them."""
    how = surface(example.framing)
    form = re.escape(how.row)
    for name, pattern in (
        ("label", r"(?P<label>\w+)(?: \([^)]*\))?"),
        ("x", r"(?P<x>[\w-]+)"),
        ("y", r"(?P<y>[\w-]+)"),
        ("a", re.escape(how.alone)),
        ("b", re.escape(how.together)),
    ):
        form = form.replace(re.escape(f"{{{name}}}"), pattern)
    numbers = {in_words(number): number for number in range(100)}
    hits = [re.fullmatch(form, line) for line in example.prompt[1]["content"].splitlines()]
    return [
        (
            hit["label"],
            *(numbers.get(hit[column]) if hit[column] in numbers else int(hit[column]) for column in "xy"),
        )
        for hit in hits
        if hit and not hit["x"].startswith("<")
    ]


def test_rationales_can_be_checked_line_by_line(made):
    kappa, data = made
    seen = set()
    for example in everything(data):
        if not is_table(example.framing) and example.domain == "games":
            continue
        seen.add((example.family, example.asks, is_table(example.framing)))
        weights = case_weights(example, kappa)
        *lines, _ = example.completion.splitlines()
        given = None
        if example.asks == "allocation":
            *lines, given = lines
            given = given.removeprefix("A: ")
        elif example.asks == "rating":
            given = example.answer
        if by_name := example.asks != "choice" or not is_table(example.framing):
            said, lines = lines[0], lines[1:]
            about, _, counts = said.partition(" by ")
            assert (about.split(", "), counts) == expected_line(example, weights)
            if counts == "neither: the same":
                assert (lines, given) == ([], "50")
                continue
            answers = dict(part.split("=") for part in about.split(", "))
            assert set(answers) == {"stay", "swerve"}
            carried = re.findall(r"\b(stay|swerve)(?:=(\w+))?", "\n".join(lines))
            assert {(act, answers[act]) for act in answers} == {*carried}
            lines = [re.sub(r"(stay|swerve)=\w+", r"\1", line) for line in lines]
            if example.asks == "choice" or given != "50":
                best = lines[-1].rpartition(" ")[2]
                points = {"yes": "100", "no": "0"}
                assert points.get(answers[best], answers[best]) == (given or example.answer)
            if counts != "both":
                assert lines[-1].startswith(f"{counts}: ")
                lines[-1] = lines[-1].removeprefix(f"{counts}: ")
        read = Checked(lines, weights)
        rows = shown_rows(example) if is_table(example.framing) else read.rows
        assert len(rows) >= 2
        if by_name:
            assert read.rows == rows
            if not is_table(example.framing):
                assert [label for label, *_ in rows] == list(answers)
        expected = [
            (weights.alone * alone + weights.together * together, label) for label, alone, together in rows
        ]
        assert read.values == expected
        top = [label for value, label in expected if value == max(expected)[0]]
        if not by_name:
            assert set(top) == {example.answer}
        else:
            assert sorted(top) == ["stay", "swerve"] if given == "50" else top == [best]
    assert len(seen) >= 8


def test_prompts_are_those_that_render_writes(made):
    _, data = made
    for example in everything(data):
        if example.domain != "games":
            continue
        game = FAMILIES[example.family].game(payoffs=example.payoffs)
        prompt = render(questions(game)[example.node], example.framing, example.order, reasoning=True)
        assert example.prompt == prompt.messages
        assert example.labels == prompt.labels


def test_answers_are_read_from_completions(made):
    _, data = made
    asked = set()
    for example in everything(data):
        asked.add((example.domain, example.asks))
        text = example.completion
        if example.asks == "choice":
            reading = read_choice(text, example.labels, (), reasoning=True)
            assert reading.outcome == "ok"
            assert example.labels[reading.place] == example.answer
        elif example.asks == "rating":
            assert read_rating(text, Scale("rating", noun="program")).points == (int(example.answer),)
        else:
            scale = Scale("allocation", things=("stay", "swerve"), noun="program")
            found = read_allocation(text, PROGRAMS, scale).points
            assert found[1 - example.order] == int(example.answer)
            assert sum(found) == 100
    assert asked == {
        ("games", "choice"),
        ("av", "choice"),
        ("av", "rating"),
        ("av", "allocation"),
        ("pricing", "choice"),
    }


def test_dilemmas_are_worded_as_in_the_environment():
    for study in STUDIES.values():
        for vignette in study.vignettes:
            case = dilemma_case(vignette, 0.5)
            turn = case.make_turn()
            for framing in ("table", "table/7"):
                write = render if case.asks == "choice" else render_scale
                text = write(turn, framing, reasoning=True).messages[1]["content"]
                labels = surface(framing).letters[:2] if case.asks == "choice" else ("stay", "swerve")
                table = dilemma_consequences(vignette)
                for label, alone, together in zip(labels, table.alone, table.together, strict=True):
                    assert (
                        re.search(rf"\b{label}\b.*\b{alone}\b.*\b{together}\b", text)
                        or surface(framing).worded
                    )
            values = table.values(question_weights(vignette.question, 0.5))
            if case.asks != "choice" and values[0] != values[1]:
                assert {str(points(vignette, values))} == case.best


def test_splits_share_no_case_and_none_is_reserved(made):
    _, data = made
    keys = [{example.game for example in split} for split in data.splits.values()]
    assert not keys[0] & keys[1]
    assert not keys[0] & keys[2]
    assert not keys[1] & keys[2]
    for example in everything(data):
        if example.family == "av_dilemma":
            assert (int(example.payoffs[0]), int(example.payoffs[1])) not in reserved_cases()
    assert not set.union(*keys) & reserved_markets()
    assert not set.union(*keys) & {adoption_case(AdoptionGame(), 0.0, 0.5).key}
    assert market_key(Market.symmetric(2, price_scale=10.0)) in reserved_markets()
    assert market_key(Market.symmetric(2, mu=0.3)) not in reserved_markets()


def test_markets_that_differ_by_a_shift_of_qualities_and_outside_good_have_one_key():
    published = Market.symmetric(2)
    shifted = Market(
        published.qualities + 0.2, published.costs, mu=published.mu, outside=published.outside + 0.2
    )
    prices = [[1.5, 1.7]]
    assert shifted.quantities(prices) == pytest.approx(published.quantities(prices), rel=1e-12)
    assert market_key(shifted) in reserved_markets()
    assert market_key(Market.symmetric(2, outside=0.2)) not in reserved_markets()


def test_domains_and_answers_are_balanced_and_the_card_says_what_labels_them(made, tmp_path):
    kappa, data = made
    counts = [sum(example.domain == domain for example in data.train) for domain in ALL]
    assert counts == [90, 60, 30]
    kinds = Counter((e.family, e.asks) for e in data.train if e.domain == "av")
    parts = {"choice": 2, "rating": 3, "allocation": 3}
    for (family, asks), count in kinds.items():
        part = 1 if family == "av_adoption" else parts[asks]
        assert abs(count - 60 * part / 9) < 1
    ratings = Counter(e.answer for e in data.train if e.asks == "rating")
    assert max(ratings.values()) - min(ratings.values()) <= 1
    acts = [e.optimal[0] for e in data.train if e.family == "av_dilemma" and e.node == "act"]
    assert set(acts) == ({"stay", "swerve"} if kappa else {"stay"})
    settings = data.card.settings
    assert settings["domains"] == list(ALL)
    assert settings["universalisation in dilemmas"] == "veil"
    assert "last prices" in settings["market labels"]
    text = data.card.to_markdown()
    assert "1 against 10" in text
    assert DataSet.read(data.write(tmp_path / "data")).card == data.card


def test_surfaces_are_hundreds_and_the_same_number_gives_the_same_one():
    drawn = [surface(f"table/{number}") for number in range(300)]
    assert len({(s.letters, s.row, s.alone, s.sequence, *s.said.values()) for s in drawn}) > 290
    assert surface("table/17") == surface("table/17")
    plain = surface("table")
    assert plain.row == grammar()["rows"][0]
    assert plain.order(5) == (0, 1, 2, 3, 4)
    assert not is_table("table/x")
    assert not is_table("tables")


def test_training_surfaces_end_below_those_for_measuring():
    data = build_dataset(
        homo_moralis(0.5), examples=60, validation=0, test=0, domains=["pricing"], surfaces=3
    )
    assert {example.framing for example in data.train} <= {"table", "table/1", "table/2", "table/3"}
    with pytest.raises(UsageError, match="number of surfaces"):
        build_dataset(HOMO_ECONOMICUS, domains=["av"], surfaces=100_000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"domains": ["cars"]}, "Domains are a list"),
        ({"domains": "av"}, "Domains are a list"),
        ({"domains": ["av"], "framings": ["neutral"]}, "needs the framing table"),
        ({"domains": ["pricing"], "reasoning": "prose"}, "steps alone"),
        ({"domains": ["av"], "universalisation": "all"}, "universalises by"),
        ({"framings": ["neutral", "table"], "belief": "equilibrium"}, "act at random"),
    ],
)
def test_what_a_domain_cannot_be_trained_in_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        build_dataset(HOMO_ECONOMICUS, **changes)


def test_social_preferences_have_no_table():
    with pytest.raises(UsageError, match="α and β must be 0"):
        build_dataset(Preferences(0.5, 0.2, 0.0), domains=["av"])


def test_a_rationale_by_hand():
    rows = [("A", 34, 27), ("B", 40, 10), ("C", 20, 41)]
    assert table_rationale(rows, Weights(1, 1)) == (
        ["A: 34+27=61", "B: 40+10=50", "C: 20+41=61", "61 A, 50 B: 61 A", "61 A, 61 C: the same"],
        None,
    )
    assert table_rationale(rows, Weights(1, 0)) == (["34 A, 40 B: 40 B", "40 B, 20 C: 40 B"], "B")
    lines, best = table_rationale(rows[:2], Weights(3, 1), tabulated=False)
    assert lines[:3] == ["A 34 27", "B 40 10", "A: 3*34=102, 102+27=129"]
    assert best == "B"


def test_the_command_writes_all_domains(tmp_path):
    result = CliRunner().invoke(
        app,
        [
            *("align", "data", str(tmp_path / "d"), "--to", "moralis", "--kappa", "0.5", "--examples", "30"),
            *("--domains", "games,av,pricing", "--surfaces", "20"),
        ],
    )
    assert result.exit_code == 0, result.output
    data = DataSet.read(tmp_path / "d")
    assert {example.domain for example in data.train} == set(ALL)
