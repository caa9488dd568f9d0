"""Tables become choices: every form, every container, and one sentence for every mistake."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pandas
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ludens.envs import FAMILIES, PROTOCOLS, pure_strategies, uniform_strategy
from ludens.errors import UsageError
from ludens.preferences import utility_terms
from ludens.preferences.estimation.data.responses import strategy_text
from ludens.preferences.estimation.data.tables import read_choices
from ludens.preferences.estimation.fitting.likelihood import log_probabilities
from ludens.preferences.estimation.models.linear import HOMO_MORALIS

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"

WIDE = {
    "subject": ["ann", "ann", "bob"],
    "self_x": [10.0, 4, 10],
    "other_x": [2.0, 9, 2],
    "self_y": [6.0, 6, 6],
    "other_y": [6.0, 6, 6],
    "choice_x": [1, 0, 0],
    "q": [0, 1, 0],
    "v": [0, 0, 0],
}
LONG = {
    "subject": ["ann"] * 3 + ["bob"] * 2,
    "situation": ["a"] * 3 + ["b"] * 2,
    "option": ["x", "y", "z", "x", "y"],
    "own": [10, 6, 4, 1, 2],
    "other": [2, 6, 9, 0, 5],
    "chosen": [0, 1, 0, 0, 1],
}
NODES = {
    "subject": ["ann", "ann", "bob"],
    "protocol": ["TG3", "TG3", "UG1"],
    "node": ["opening", "reply to trust", "opening"],
    "choice": ["trust", "defect", "equal"],
}
SHARES = {
    "subject": ["m", "m"],
    "protocol": ["TG3", "TG3"],
    "node": ["opening", "opening"],
    "choice": ["trust", "keep"],
    "probability": [0.25, 0.75],
}


def without(table, *columns):
    return {name: cells for name, cells in table.items() if name not in columns}


def with_cell(table, column, row, value):
    cells = list(table[column])
    cells[row] = value
    return {**table, column: cells}


def same(one, other):
    np.testing.assert_array_equal(one.attributes, other.attributes)
    np.testing.assert_array_equal(one.available, other.available)
    np.testing.assert_array_equal(one.counts.toarray(), other.counts.toarray())
    assert one.subjects == other.subjects
    assert (one.members is None) == (other.members is None)


def as_csv(table, path):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return path


@pytest.mark.parametrize(("table", "model"), [(WIDE, "bfs"), (LONG, "fehr_schmidt"), (NODES, "moralis")])
def test_every_container_reads_the_same(table, model, tmp_path):
    expected = read_choices(table, model)
    same(read_choices(pandas.DataFrame(table), model), expected)
    same(read_choices(polars.DataFrame(table, strict=False), model), expected)
    same(read_choices(as_csv(table, tmp_path / "t.csv"), model), expected)
    same(read_choices(str(tmp_path / "t.csv"), model), expected)


def test_two_allocations_by_hand():
    choices = read_choices(WIDE, "bfs")
    assert choices.attributes.shape == (2, 2, 5)  # ann's first question is bob's
    first, second = choices.attributes
    assert first.tolist() == [[10, 0, -8, 0, 0], [6, 0, 0, 0, 0]]
    assert second.tolist() == [[4, 5, 0, 5, 0], [6, 0, 0, 0, 0]]
    assert choices.counts.toarray().tolist() == [[1, 0, 0, 1], [0, 1, 0, 0]]
    assert (choices.size, choices.clustered_by) == (3, "subject")


def test_misbehaviour_has_a_column_of_its_own():
    """What Charness & Rabin write q is not what Bruhin, Fehr & Schunk do."""
    with pytest.raises(UsageError, match="no column 'misbehaved'"):
        read_choices(WIDE, "charness_rabin")
    choices = read_choices(WIDE, "charness_rabin", misbehaved="q")
    assert choices.attributes[1].tolist() == [[4, 0, 5, 5], [6, 0, 0, 0]]


def test_inequity_aversion_by_hand_with_two_others():
    table = {**without(LONG, "other"), "other_1": [2, 6, 9, 0, 5], "other_2": [12, 6, 3, 4, 2]}
    choices = read_choices(table, "fehr_schmidt")
    assert choices.attributes[0].tolist() == [[10, -1, -4], [6, 0, 0], [4, -2.5, -0.5]]
    assert choices.available.tolist() == [[True] * 3, [True, True, False]]
    assert choices.attributes[1, 2].tolist() == [0, 0, 0]
    assert choices.counts.toarray().tolist() == [[0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0]]
    wide = {**without(WIDE, "other_x", "other_y"), "other_1_x": [2, 9, 2], "other_2_x": [10, 4, 10]}
    wide |= {"other_1_y": [6, 6, 6], "other_2_y": [6, 6, 6]}
    assert read_choices(wide, "fehr_schmidt").attributes[0, 0].tolist() == [10, 0, -4]
    with pytest.raises(UsageError, match="one other person and there are 2"):
        read_choices(table, "bfs", q="chosen", v="chosen")


def test_columns_are_named_by_the_user_and_a_known_name_is_found_by_itself():
    table = {{"subject": "sid", "self_x": "mine"}.get(name, name): cells for name, cells in WIDE.items()}
    same(read_choices(table, "bfs", self_x="mine"), read_choices(WIDE, "bfs"))
    table["who"] = table.pop("sid")
    same(read_choices(table, "bfs", self_x="mine", subject="who"), read_choices(WIDE, "bfs"))
    with pytest.raises(UsageError, match=r"no column 'his', only .*: add it, or say which one"):
        read_choices(table, "bfs", self_x="his", subject="who")


def test_fractional_choices_and_clusters():
    table = {**without(WIDE, "choice_x"), "probability": [0.75, 0.5, 1.0], "session": ["s", "s", "s"]}
    choices = read_choices(table, "bfs", cluster="session")
    assert choices.counts.toarray().tolist() == [[0.75, 0.25, 0.5, 0.5], [1, 0, 0, 0]]
    assert (choices.clusters.tolist(), choices.clustered_by, choices.size) == ([0, 0], "session", 3)
    table["session"] = ["s", "t", "s"]
    (crossed,) = read_choices(table, "bfs", cluster="session").crossed
    # Session s has the rows 0 and 2; t has row 1, of the same subject as row 0.
    assert crossed.toarray().tolist() == [[1.75, 0.25, 0, 0], [0, 0, 0.5, 0.5]]


def test_a_column_of_one_s_own_is_an_attribute():
    from dataclasses import replace

    from ludens.preferences.estimation.models.linear import FEHR_SCHMIDT

    model = replace(FEHR_SCHMIDT, attributes=("own", "effort", "minus ahead"))
    table = {**LONG, "effort": [1, 2, 3, 4, 5]}
    assert read_choices(table, model).attributes[0, :, 1].tolist() == [1, 2, 3]
    wide = {**WIDE, "effort_x": [1, 2, 1], "effort_y": [3, 4, 3]}
    assert read_choices(wide, model).attributes[0, :, 1].tolist() == [1, 3]


def everybody(rng, people=5):
    """All 18 protocols, whole strategies at random, as a table of strategies and as one of nodes."""
    whole = {"subject": [], "protocol": [], "strategy": []}
    single = {"subject": [], "protocol": [], "node": [], "choice": []}
    for person in range(people):
        for name, game in PROTOCOLS.items():
            number = int(rng.integers(len(pure_strategies(game))))
            row = pure_strategies(game)[number]
            for column, cell in zip(whole, (person, name, strategy_text(game, number)), strict=True):
                whole[column].append(cell)
            for node in game.information_sets:
                option = node.options[int(np.argmax(row[node.columns]))]
                for column, cell in zip(single, (person, name, node.label, option), strict=True):
                    single[column].append(cell)
    return whole, single


def test_answers_at_every_node_are_a_whole_strategy():
    whole, single = everybody(np.random.default_rng(0))
    order = np.random.default_rng(1).permutation(len(single["node"]))
    order = np.concatenate([[0], order[order != 0]])  # the first row decides which game is first
    mixed = {name: [cells[row] for row in order] for name, cells in single.items()}
    one, other = read_choices(whole), read_choices(single, whole="strategies")
    same(one, other)
    assert one.members is None
    shuffled = read_choices(mixed)
    assert shuffled.size == one.size
    for choices in (one, shuffled):
        for place, name in enumerate(choices.situations):
            terms = utility_terms(PROTOCOLS[name], uniform_strategy(PROTOCOLS[name]))
            count = len(terms.own)
            wanted = [terms.own, -terms.behind, -terms.ahead, terms.universalised - terms.own]
            np.testing.assert_allclose(choices.attributes[place, :count], np.stack(wanted, axis=-1))
            assert choices.available[place].sum() == count


def test_an_answer_at_one_node_is_an_event_of_all_strategies_with_it():
    choices = read_choices(NODES, whole="nodes")
    assert choices.members.shape == (2, 4, 4)
    table = pure_strategies(PROTOCOLS["TG3"]).T > 0
    np.testing.assert_array_equal(choices.members[0], table)
    assert choices.counts.toarray()[0].tolist() == [1, 0, 0, 1, 0, 0, 0, 0]  # trust and defect
    phi = HOMO_MORALIS.to_free(np.array([0.1, 0.2, 0.4, 8.0]))
    shares = np.exp(log_probabilities(HOMO_MORALIS, choices, phi))
    np.testing.assert_allclose(shares[0, :2].sum(), 1)
    np.testing.assert_allclose(shares[0, 2:].sum(), 1)


def test_whole_strategies_and_lone_answers_stand_beside_each_other():
    choices = read_choices(NODES)
    assert choices.members.shape == (2, 8, 4)
    assert choices.counts.toarray()[0, :8].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]  # trust / defect
    assert choices.counts.toarray()[1, 8:].tolist() == [0, 0, 0, 0, 1, 0, 0, 0]  # equal, by itself
    with pytest.raises(UsageError, match=r"row 2 of the table begins a strategy .* nodes are missing"):
        read_choices(NODES, whole="strategies")


def test_probabilities_at_nodes_and_of_strategies():
    assert read_choices(SHARES).counts.toarray()[0, :2].tolist() == [0.25, 0.75]
    table = {
        "subject": ["m"] * 2,
        "protocol": ["TG3"] * 2,
        "strategy": ["trust/reciprocate", "keep / defect"],
        "probability": [0.3, 0.7],
    }
    assert read_choices(table).counts.toarray().tolist() == [[0.3, 0, 0, 0.7]]


def test_payoffs_in_place_of_a_protocol():
    rows = {
        "subject": ["a", "a", "b"],
        "game": ["trust"] * 3,
        "node": ["opening"] * 3,
        "choice": ["trust"] * 3,
    }
    rows |= {"T": [80, 90, 80], "R": [60, 70, 60], "P": [30] * 3, "S": [20, 10, 20]}
    choices = read_choices(rows)
    expected = read_choices({**without(rows, "game", *"TRPS"), "protocol": ["TG3", "TG6", "TG3"]})
    np.testing.assert_array_equal(choices.attributes, expected.attributes)
    assert choices.counts.toarray().tolist() == expected.counts.toarray().tolist()
    with pytest.raises(UsageError, match=r"row 1 .*column 'game' is trust, but .*T > R is needed"):
        read_choices(with_cell(rows, "T", 1, 5))


def test_games_of_one_s_own():
    game = FAMILIES["trust"].game(payoffs=(100, 60, 30, 0))
    table = {**NODES, "protocol": ["mine", "mine", "UG1"]}
    assert read_choices(table, games={"mine": game}).attributes.shape[0] == 2
    with pytest.raises(UsageError, match="row 0 of the table column 'protocol' names 'mine'"):
        read_choices(table)


def test_stated_beliefs_make_situations_of_their_own():
    rows = {name: cells[:2] * 2 for name, cells in NODES.items()} | {"subject": ["a", "a", "b", "b"]}
    rows["belief"] = [0.9, 0.2, 0.5, 0.5]
    choices = read_choices(rows, beliefs="stated")
    game = PROTOCOLS["TG3"]
    assert choices.situations == ("TG3", "TG3")
    for place, belief in enumerate(([0.9, 0.1, 0.2, 0.8], [0.5] * 4)):
        np.testing.assert_allclose(choices.attributes[place, :, 0], utility_terms(game, belief).own)
    whole = {"subject": ["a", "b"], "protocol": ["TG3"] * 2, "strategy": ["trust / defect"] * 2}
    whole |= {"belief opening": [0.9, 0.5], "belief reply to trust": [0.2, 0.5]}
    same(read_choices(whole, beliefs="stated"), choices)
    given = read_choices(NODES, beliefs={"TG3": [0.9, 0.1, 0.2, 0.8], "UG1": "uniform"})
    np.testing.assert_allclose(given.attributes[0], choices.attributes[0])
    with pytest.raises(UsageError, match=r"row 0 .*no counterpart at 'reply to trust'"):
        read_choices({name: cells[:1] for name, cells in rows.items()}, beliefs="stated")
    with pytest.raises(UsageError, match="say nothing of 'UG1'"):
        read_choices(NODES, beliefs={"TG3": "uniform"})


MISTAKES = [
    (without(WIDE, "other_y"), "bfs", "no column 'other_y'"),
    (without(WIDE, "choice_x"), "bfs", "no column 'choice_x'"),
    (without(WIDE, "q"), "bfs", "no column 'q'"),
    (without(WIDE, "subject"), "bfs", "no column 'subject'"),
    (with_cell(WIDE, "self_x", 1, math.nan), "bfs", "row 1 of the table column 'self_x' is empty"),
    (with_cell(WIDE, "self_x", 2, math.inf), "bfs", "row 2 of the table column 'self_x' holds inf"),
    (with_cell(WIDE, "other_x", 0, "ten"), "bfs", "row 0 of the table column 'other_x' holds 'ten'"),
    (with_cell(WIDE, "choice_x", 0, 2), "bfs", "row 0 of the table column 'choice_x' holds 2"),
    (with_cell(WIDE, "subject", 1, " "), "bfs", "row 1 of the table column 'subject' is empty"),
    (with_cell(WIDE, "subject", 1, None), "bfs", "row 1 of the table column 'subject' is empty"),
    (
        {**WIDE, "s_x": [0, 0, 0]},
        "bfs",
        "row 1 of the table column 's_x' does not say .* behind with 4 against 9",
    ),
    ({**WIDE, "r_x": [1, 0, 0]}, "bfs", "row 2 of the table column 'r_x' does not say .* ahead"),
    ({**WIDE, "probability": [0.1, 0.2, 1.2]}, "bfs", "row 2 of the table column 'probability' holds 1.2"),
    (WIDE, "moralis", "everybody chose alike"),
    (without(LONG, "chosen"), "fehr_schmidt", "no column 'chosen'"),
    (with_cell(LONG, "chosen", 0, 1), "fehr_schmidt", "row 0 .*'chosen' marks 2 options"),
    (with_cell(LONG, "chosen", 4, 0), "fehr_schmidt", "row 3 .*'chosen' marks 0 options"),
    (with_cell(LONG, "option", 1, "x"), "fehr_schmidt", "row 1 .*'option' names an option .* already"),
    (with_cell(LONG, "situation", 4, "c"), "fehr_schmidt", "row 3 of the table stands alone"),
    ({**LONG, "probability": [0.2] * 5}, "fehr_schmidt", "row 0 .*'probability' sums to 0.6"),
    (with_cell(NODES, "protocol", 2, "UG9"), "moralis", "row 2 .*'protocol' names 'UG9'"),
    (with_cell(NODES, "node", 2, "middle"), "moralis", "row 2 .*'node' names 'middle'"),
    (
        with_cell(NODES, "choice", 2, "trust"),
        "moralis",
        "row 2 .*'choice' holds 'trust', where .* offers equal",
    ),
    (with_cell(NODES, "node", 1, "opening"), "moralis", "row 1 .*'choice' holds 'defect'"),
    (
        {name: [*cells, cells[0]] for name, cells in NODES.items()},
        "moralis",
        "row 3 .* second time, after row 0",
    ),
    (with_cell(SHARES, "probability", 0, 0.5), "moralis", "row 0 .*'probability' sums to 1.25"),
    (with_cell(SHARES, "choice", 1, "trust"), "moralis", "row 1 .* gives this option a second time"),
    (NODES, "crra", "needs 'amount_1', which outcomes of games do not have"),
    (NODES, "nonsense", "'nonsense'; choose one of moralis"),
    ({"a": [1]}, "moralis", "no known form"),
    ({"a": []}, "moralis", "no rows"),
    ({"a": [1], "b": [1, 2]}, "moralis", "different lengths"),
    ({"a": [[1], [2]]}, "moralis", "one dimension"),
    (7, "moralis", "got int"),
]


@pytest.mark.parametrize(("table", "model", "told"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_one_sentence_with_its_place(table, model, told):
    with pytest.raises(UsageError, match=told) as caught:
        read_choices(table, model)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


def test_rows_are_called_as_their_owner_counts(tmp_path):
    table = with_cell(WIDE, "choice_x", 1, 5)
    with pytest.raises(UsageError, match="line 3 of the table column 'choice_x'"):
        read_choices(as_csv(table, tmp_path / "t.csv"), "bfs")
    frame = pandas.DataFrame(table, index=["first", "second", "third"])
    with pytest.raises(UsageError, match="row second of the table"):
        read_choices(frame, "bfs")


def test_files_that_are_no_table(tmp_path):
    for name, content, told in (
        ("ragged.csv", b"subject,self_x\n1,2\n1\n", "Line 3 of .*ragged.csv has 1 cells"),
        ("bytes.csv", b"\xff\xfe\x00", "cannot be read"),
        ("empty.csv", b"", "no rows"),
        ("twice.csv", b"a,a\n1,2\n", "two columns called 'a'"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError, match=told):
            read_choices(tmp_path / name)
    with pytest.raises(UsageError, match="cannot be read"):
        read_choices(tmp_path / "nowhere.csv")


def test_a_large_file_is_read_like_the_same_columns_in_memory(tmp_path):
    rng, rows = np.random.default_rng(0), 30_000
    table = {
        "subject": [
            f"s{number}" for number in rng.integers(0, 25_000, rows)
        ],  # more than are numbered at once
        **{name: np.round(rng.random(rows) * 100, 3).tolist() for name in ("self_x", "other_x", "self_y")},
        "other_y": rng.integers(0, 5, rows).tolist(),
        "choice_x": rng.integers(0, 2, rows).tolist(),
        "q": [0] * rows,
        "v": [1] * rows,
    }
    path = tmp_path / "large.csv"
    as_csv(table, path)
    choices, expected = read_choices(path, "bfs"), read_choices(table, "bfs")
    np.testing.assert_array_equal(choices.attributes, expected.attributes)
    assert choices.subjects == expected.subjects
    assert (choices.counts != expected.counts).nnz == 0
    assert choices.size == rows
    assert len(choices.subjects) == len(set(table["subject"]))


def test_lines_are_counted_through_breaks_blank_lines_and_blocks(tmp_path):
    path = tmp_path / "lines.csv"
    head = "subject,note,self_x,other_x,self_y,other_y,choice_x\r\n"
    plain, broken, blank = "ann,,1,2,3,4,1\r\n", 'ann,"a\r\nb\nc",1,2,3,4,0\r\n', "\r\n"
    first = head + broken + blank + plain * 700 + broken + blank
    line = len(first.splitlines()) + 1
    for cells, told in (
        ("ann,,1,2,3,x,1", f"In line {line} of the table column 'other_y' holds 'x'"),
        ("ann,,1,2,3", rf"Line {line} of .*lines.csv has 5 cells and its header 7"),
    ):
        path.write_bytes(f"{first}{cells}\r\n{plain}".encode())
        with pytest.raises(UsageError, match=told):
            read_choices(path, "fehr_schmidt")
    path.write_bytes((first + plain).encode())
    assert read_choices(path, "fehr_schmidt").size == 703


def test_of_very_many_columns_the_first_are_listed(tmp_path):
    path = tmp_path / "wide.csv"
    names = [f"c{number}" for number in range(40_000)]
    path.write_text(f"{','.join(names)}\n{','.join(['1'] * len(names))}\n")
    with pytest.raises(UsageError, match=r"and has c0, c1, .*, c19 and 39,980 more; name yours") as error:
        read_choices(path, "moralis")
    assert len(str(error.value)) < 400
    with pytest.raises(UsageError, match=r"no column 'sid', only c0, .* and 39,980 more"):
        read_choices(path, "moralis", subject="sid")
    path.write_text(f"{','.join([*names, 'c7'])}\n")
    with pytest.raises(UsageError, match="has two columns called 'c7'"):
        read_choices(path, "moralis")


def test_many_stated_beliefs_count_as_each_subject_s_own():
    rng, rows = np.random.default_rng(1), []
    for subject in range(60):
        for protocol in ("TG3", "UG1"):
            for node in PROTOCOLS[protocol].information_sets:
                belief = float(rng.choice([0.0, 0.25, 0.6]))
                rows.append((f"s{subject}", protocol, node.label, str(rng.choice(node.options)), belief))
    rng.shuffle(rows)
    names = ("subject", "protocol", "node", "choice", "belief")

    def read(kept):
        columns = zip(*kept, strict=True)
        table = {name: list(column) for name, column in zip(names, columns, strict=True)}
        return read_choices({**table, "belief": [float(cell) for cell in table["belief"]]}, beliefs="stated")

    def likelihood(choices):
        return choices.by_subject(log_probabilities(HOMO_MORALIS, choices, np.array([0.2, -0.1, 0.4, 0.1])))

    whole = read(rows)
    assert len(whole.situations) <= 2 * 3**3
    one_by_one = [likelihood(read([row for row in rows if row[0] == name]))[0] for name in whole.subjects]
    np.testing.assert_allclose(likelihood(whole), one_by_one)
    wholes = {"subject": ["a", "b"], "protocol": ["TG3"] * 2, "strategy": ["trust / reciprocate"] * 2}
    wholes |= {"belief opening": [0.5, 0.25], "belief reply to trust": [1.0, 0.0]}
    assert read_choices(wholes, beliefs="stated").attributes.shape[0] == 2


def test_an_empty_cell_of_pandas_and_of_polars_is_empty():
    table = with_cell(WIDE, "self_x", 1, None)
    for frame in (pandas.DataFrame(table), pandas.DataFrame(table).convert_dtypes(), polars.DataFrame(table)):
        with pytest.raises(UsageError, match="row 1 of the table column 'self_x' is empty"):
            read_choices(frame, "bfs")
    names = with_cell(WIDE, "subject", 1, pandas.NA)
    with pytest.raises(UsageError, match="row 1 of the table column 'subject' is empty"):
        read_choices(pandas.DataFrame(names), "bfs")


cells = st.one_of(
    st.none(), st.floats(), st.integers(-5, 5), st.text(max_size=4), st.sampled_from(["trust", "TG3"])
)


def test_a_text_with_a_line_break_is_quoted_in_the_error():
    with pytest.raises(UsageError, match=r"holds ':\\n', no finite number") as raised:
        read_choices(with_cell(WIDE, "self_x", 0, ":\n"), "bfs")
    assert "\n" not in str(raised.value)


@given(st.sampled_from([WIDE, LONG, NODES, SHARES]), st.data())
def test_whatever_stands_in_a_cell_is_read_or_told(table, data):
    column = data.draw(st.sampled_from(list(table)))
    row = data.draw(st.integers(0, len(table[column]) - 1))
    model = "bfs" if table is WIDE else "fehr_schmidt"
    told = ""
    try:
        choices = read_choices(with_cell(table, column, row, data.draw(cells)), model)
    except UsageError as error:
        told = str(error)
    assert "\n" not in told
    assert told or (np.all(np.isfinite(choices.attributes)) and choices.size > 0)


@given(st.permutations(range(5)))
def test_the_order_of_rows_does_not_matter(order):
    whole, _ = everybody(np.random.default_rng(3), people=1)
    rows = {name: cells[:5] for name, cells in whole.items()}
    mixed = {name: [cells[place] for place in order] for name, cells in rows.items()}
    one, other = read_choices(rows), read_choices(mixed)
    again = [other.situations.index(name) for name in one.situations]
    np.testing.assert_array_equal(one.total, other.total[again])
    np.testing.assert_array_equal(one.attributes, other.attributes[again])


@pytest.mark.skipif(
    not (DATA / "bfs2019_choices_exp1.csv").exists(), reason="the replication data is not here"
)
def test_the_replication_data_of_bfs_is_read_whole():
    choices = read_choices(DATA / "bfs2019_choices_exp1.csv", "bfs")
    assert (len(choices.subjects), choices.size, len(choices.situations)) == (174, 174 * 117, 117)
