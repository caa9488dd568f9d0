"""Tables as they come: dialects of CSV, other files, blanks, codes of answers, and a column per decision."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile

import numpy as np
import pandas
import polars
import pyarrow
import pytest

from ludens.errors import UsageError
from ludens.preferences.estimation.data import files
from ludens.preferences.estimation.data.files import is_table
from ludens.preferences.estimation.data.tables import read_choices

ROWS = {
    "subject": ["ann", "ann", "bob"],
    "self_x": [10.5, 4, 10.5],
    "other_x": [2.25, 9, 2.25],
    "self_y": [6.0, 6, 6],
    "other_y": [6.0, 6, 6],
    "choice_x": [1, 0, 0],
}
MODEL = "fehr_schmidt"


def text(table, delimiter=",", decimal="."):
    def cell(value):
        return str(value).replace(".", decimal) if isinstance(value, float) else str(value)

    rows = [list(table), *zip(*table.values(), strict=True)]
    return "\n".join(delimiter.join(map(cell, row)) for row in rows) + "\n"


def same(one, other):
    np.testing.assert_array_equal(one.attributes, other.attributes)
    np.testing.assert_array_equal(one.counts.toarray(), other.counts.toarray())
    assert one.subjects == other.subjects


def replaced(**columns):
    return {**ROWS, **columns}


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("delimiter", [";", "\t", "|", " "])
def test_delimiters_and_decimal_commas_are_recognised(delimiter, decimal, tmp_path):
    path = tmp_path / "t.txt"
    path.write_text(text(ROWS, delimiter, decimal))
    same(read_choices(path, MODEL), read_choices(ROWS, MODEL))


def test_a_header_in_quotes_and_r_s_row_names(tmp_path):
    (tmp_path / "r.csv").write_text(
        '"","subject","self_x","other_x","self_y","other_y","choice_x"\n"1","ann",1,2,3,4,TRUE\n'
        '"2","ann, the other",5,2,3,4,FALSE\n'
    )
    choices = read_choices(tmp_path / "r.csv", MODEL)
    assert choices.subjects == ("ann", "ann, the other")
    assert choices.counts.toarray().tolist() == [[1, 0, 0, 0], [0, 0, 0, 1]]
    # write.table: no header over the names of rows
    (tmp_path / "r.txt").write_text(
        '"subject" "self_x" "other_x" "self_y" "other_y" "choice_x"\n"1" "ann" 1 2 3 4 TRUE\n'
        '"2" "ann, the other" 5 2 3 4 FALSE\n'
    )
    same(read_choices(tmp_path / "r.txt", MODEL), choices)


def test_a_comma_before_three_digits_is_not_guessed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text(replaced(self_x=["1,234", "4", "1,500"]), ";"))
    with pytest.raises(UsageError, match=r"line 2 .*'self_x' holds '1,234', whose comma may .*decimal=','"):
        read_choices(path, MODEL)
    decimal = read_choices(path, MODEL, decimal=",")
    assert decimal.attributes[0, 0, 0] == 1.234
    with pytest.raises(UsageError, match="holds '1,234', no finite number"):
        read_choices(path, MODEL, decimal=".")


def test_a_delimiter_can_be_named_and_must_be_one_character(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text(ROWS, "#"))
    same(read_choices(path, MODEL, delimiter="#"), read_choices(ROWS, MODEL))
    with pytest.raises(UsageError, match="one character"):
        read_choices(path, MODEL, delimiter="##")


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip"])
def test_compressed_files(suffix, tmp_path):
    path, plain = tmp_path / f"t.csv{suffix}", text(ROWS).encode()
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("t.csv", plain)
    else:
        opener = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}[suffix]
        with opener(path, "wb") as file:
            file.write(plain)
    assert is_table(path)
    same(read_choices(path, MODEL), read_choices(ROWS, MODEL))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UsageError, match="cannot be read"):
        read_choices(path, MODEL)


def test_a_zip_of_two_files(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("a.csv", text(ROWS))
        archive.writestr("b.csv", text(ROWS))
    with pytest.raises(UsageError, match="holds 2 files"):
        read_choices(tmp_path / "t.zip", MODEL)


def test_parquet_and_stata(tmp_path):
    frame = pandas.DataFrame(ROWS)
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_stata(tmp_path / "t.dta", write_index=False)
    for name in ("t.parquet", "t.dta"):
        assert is_table(name)
        same(read_choices(tmp_path / name, MODEL), read_choices(ROWS, MODEL))
    (tmp_path / "broken.dta").write_bytes(b"nothing")
    with pytest.raises(UsageError, match=r"broken.dta cannot be read .*give a valid Stata file"):
        read_choices(tmp_path / "broken.dta", MODEL)
    with pytest.raises(UsageError, match="no such file"):
        read_choices(tmp_path / "nowhere.parquet", MODEL)


def test_stata_s_value_labels_are_answers(tmp_path):
    frame = pandas.DataFrame({**ROWS, "choice": pandas.Categorical(["X", "Y", "Y"])}).drop(columns="choice_x")
    frame.to_stata(tmp_path / "t.dta", write_index=False)
    same(read_choices(tmp_path / "t.dta", MODEL), read_choices(ROWS, MODEL))


def test_excel_by_row_and_sheet(tmp_path):
    pytest.importorskip("openpyxl")
    with pandas.ExcelWriter(tmp_path / "t.xlsx") as writer:
        pandas.DataFrame(ROWS).to_excel(writer, sheet_name="answers", index=False)
        pandas.DataFrame().to_excel(writer, sheet_name="empty", index=False)
    same(read_choices(tmp_path / "t.xlsx", MODEL), read_choices(ROWS, MODEL))
    with pandas.ExcelWriter(tmp_path / "two.xlsx") as writer:
        pandas.DataFrame(ROWS).to_excel(writer, sheet_name="answers", index=False)
        pandas.DataFrame(replaced(self_x=[1, "two", 3])).to_excel(writer, sheet_name="wrong", index=False)
    with pytest.raises(UsageError, match="several sheets: name one of answers, wrong"):
        read_choices(tmp_path / "two.xlsx", MODEL)
    same(read_choices(tmp_path / "two.xlsx", MODEL, sheet="answers"), read_choices(ROWS, MODEL))
    with pytest.raises(UsageError, match="row 3 of the table column 'self_x' holds 'two'"):
        read_choices(tmp_path / "two.xlsx", MODEL, sheet="wrong")
    with pytest.raises(UsageError, match="has no sheet 'third'"):
        read_choices(tmp_path / "two.xlsx", MODEL, sheet="third")


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    (tmp_path / "t.xlsx").write_bytes(b"")
    monkeypatch.setattr(files.importlib, "import_module", missing)
    with pytest.raises(UsageError, match=r"Excel files needs another library: pip install pandas openpyxl"):
        read_choices(tmp_path / "t.xlsx", MODEL)


def test_lazy_and_arrow_frames():
    expected = read_choices(ROWS, MODEL)
    same(read_choices(polars.DataFrame(ROWS).lazy(), MODEL), expected)
    same(read_choices(pyarrow.table(ROWS), MODEL), expected)
    renamed = pandas.DataFrame(dict(enumerate(ROWS.values())))
    named = {name: str(place) for place, name in enumerate(ROWS)}
    same(read_choices(renamed, MODEL, **named), expected)
    twice = pandas.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(UsageError, match="two columns called 'a'"):
        read_choices(twice, MODEL)


@pytest.mark.parametrize(
    "choice_x",
    [
        ["TRUE", "FALSE", "FALSE"],
        ["T", "F", "F"],
        ["true", "false", "0"],
        [True, False, False],
        ["X", "Y", "y"],
    ],
)
def test_true_false_and_the_letters_of_options(choice_x):
    same(read_choices(replaced(choice_x=choice_x), MODEL), read_choices(ROWS, MODEL))


def test_options_by_name_and_by_code():
    table = {name: cells for name, cells in ROWS.items() if name != "choice_x"}
    expected = read_choices(ROWS, MODEL)
    same(read_choices({**table, "choice": ["x", "Y", "y"]}, MODEL), expected)
    names = {"option_x": ["left"] * 3, "option_y": ["right"] * 3}
    same(read_choices({**table, **names, "choice": ["left", "right", "right"]}, MODEL), expected)
    with pytest.raises(UsageError, match=r"row 1 .*holds 'up', where one of the options 'left' and 'right'"):
        read_choices({**table, **names, "choice": ["left", "up", "right"]}, MODEL)
    same(read_choices({**table, "choice": [1, 2, 2]}, MODEL, codes={"1": "x", "2": "y"}), expected)
    same(read_choices({**table, "choice_x": ["B", "A", "A"]}, MODEL, codes={"B": "x", "A": "y"}), expected)
    with pytest.raises(
        UsageError, match=r"row 0 .*'choice' holds '1', where x or y may stand: .*--codes 1=x"
    ):
        read_choices({**table, "choice": [1, 2, 2]}, MODEL)


def test_named_options_of_a_long_table_and_of_a_game():
    long = {
        "subject": ["ann"] * 3,
        "situation": ["a"] * 3,
        "option": ["give", "keep", "burn"],
        "own": [6, 10, 0],
        "other": [6, 0, 0],
    }
    choices = read_choices({**long, "choice": ["keep"] * 3}, MODEL)
    assert choices.counts.toarray().tolist() == [[0, 1, 0]]
    with pytest.raises(UsageError, match="marks 0 options"):
        read_choices({**long, "choice": ["none of these"] * 3}, MODEL)
    game = {"subject": ["m"], "protocol": ["TG3"], "node": ["opening"], "choice": [1]}
    same(
        read_choices(game, codes={"1": "trust", "0": "keep"}),
        read_choices({**game, "choice": ["trust"]}),
    )


@pytest.mark.parametrize("blank", [None, float("nan"), "", "NA", "."])
def test_blanks_are_refused_or_dropped_and_counted(blank):
    table = replaced(choice_x=[1, blank, 0])
    with pytest.raises(UsageError, match=r"row 1 .*'choice_x' is empty: fill it in, or .*--drop-missing"):
        read_choices(table, MODEL)
    kept = read_choices(table, MODEL, drop_missing=True)
    same(kept, read_choices({name: [cells[0], cells[2]] for name, cells in ROWS.items()}, MODEL))
    assert kept.notes == ("1 of 3 rows were left out because of empty cells (1 in choice_x).",)


def test_blanks_in_several_columns_and_columns_that_are_not_needed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "subject,self_x,other_x,self_y,other_y,choice_x,remark\n,1,2,3,4,1,\nann,1,2,3,4,1,\nann,1,,3,4,,\n"
    )
    choices = read_choices(path, MODEL, drop_missing=True)
    assert (choices.size, choices.subjects) == (1, ("ann",))
    assert choices.notes[0].startswith("2 of 3 rows were left out")
    path.write_text("subject,self_x,other_x,self_y,other_y,choice_x\nann,1,2,3,4,\n")
    with pytest.raises(UsageError, match="Every row of the table has an empty cell"):
        read_choices(path, MODEL, drop_missing=True)


def test_a_choice_of_a_long_table_is_dropped_as_a_whole():
    long = {
        "subject": ["ann"] * 2 + ["bob"] * 2,
        "situation": ["a"] * 4,
        "own": [6, None, 6, 10],
        "other": [6, 0, 6, 0],
        "chosen": [0, 1, 1, 0],
    }
    choices = read_choices(long, MODEL, drop_missing=True)
    assert (choices.subjects, choices.size) == (("bob",), 1)
    assert choices.notes[0].startswith("2 of 4 rows")


def test_an_export_of_otree_with_a_column_for_each_decision():
    wide = {
        "participant.code": ["p1", "p2"],
        "session.code": ["s", "s"],
        "mini.1.player.choice": ["1", "2"],
        "mini.2.player.choice": ["2", ""],
    }
    payoffs = {"question": [1, 2], "self_x": [10, 4], "other_x": [2, 9], "self_y": [6, 6], "other_y": [6, 6]}
    settings = {"questions": payoffs, "codes": {"1": "x", "2": "y"}}
    pattern = "mini.{question}.player.{column}"
    choices = read_choices(wide, MODEL, pattern=pattern, **settings)
    by_hand = {
        "subject": ["p1", "p2", "p1"],
        "self_x": [10, 10, 4],
        "other_x": [2, 2, 9],
        "self_y": [6] * 3,
        "other_y": [6] * 3,
        "choice_x": [1, 0, 0],
    }
    same(choices, read_choices(by_hand, MODEL))
    same(read_choices(wide, MODEL, pattern="mini.{question}.player.choice", **settings), choices)
    wide["mini.2.player.choice"][1] = "3"
    with pytest.raises(UsageError, match=r"row 1 \(question 2\) of the table column 'choice' holds '3'"):
        read_choices(wide, MODEL, pattern=pattern, **settings)


def test_a_column_for_each_node_of_a_game():
    wide = {"subject": ["m", "n"], "TG3.opening": [1, 0], "TG3.reply to trust": [1, 1]}
    codes = {"0": "keep", "1": "trust"}
    with pytest.raises(UsageError, match=r"holds 'trust', where .* offers reciprocate"):
        read_choices(wide, pattern="{protocol}.{node}", codes=codes)
    wide["TG3.reply to trust"] = ["reciprocate", "defect"]
    choices = read_choices(wide, pattern="{protocol}.{node}", codes=codes)
    long = {
        "subject": ["m", "n", "m", "n"],
        "protocol": ["TG3"] * 4,
        "node": ["opening"] * 2 + ["reply to trust"] * 2,
        "choice": ["trust", "keep", "reciprocate", "defect"],
    }
    same(choices, read_choices(long))


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("mini", "has distinct names in braces"),
        ("{column}", "has distinct names in braces"),
        ("{a}.{a}", "has distinct names in braces"),
        ("maxi.{question}", "No column of the table matches"),
        ("mini.{subject}", "makes a column 'subject'"),
    ],
)
def test_patterns_that_do_not_fit(pattern, told):
    with pytest.raises(UsageError, match=told):
        read_choices({"subject": ["a"], "mini.1": ["x"]}, MODEL, pattern=pattern)


def test_questions_that_do_not_fit():
    answers = {"subject": ["a"], "question": ["3"], "choice": ["x"]}
    with pytest.raises(UsageError, match="no column in common"):
        read_choices(answers, MODEL, questions={"item": ["3"]})
    with pytest.raises(UsageError, match=r"row 0 .*'question' names the question 3, .*has 4"):
        read_choices(answers, MODEL, questions={"question": ["4"], "self_x": [1]})
    with pytest.raises(UsageError, match=r"row 1 .*repeats the question 3"):
        read_choices(answers, MODEL, questions={"question": ["3", "3"], "self_x": [1, 2]})


def test_errors_say_what_to_write_instead():
    for column, cell, told in (
        ("self_x", "ten", "write one such as 12 or 3.5"),
        ("choice_x", 2, "write 1 for yes and 0 for no"),
        ("choice_x", "maybe", "write 1 or 0, or TRUE or FALSE"),
    ):
        with pytest.raises(UsageError, match=told):
            read_choices(replaced(**{column: [cell, 1, 1]}), MODEL)
