"""Files are written whole or not at all, and one sentence says why not."""

from __future__ import annotations

import pytest

from ludens.experiments import StoreError
from ludens.experiments.runs.files import as_csv, draft_of, write_table, write_whole


def test_a_file_is_replaced_and_no_draft_stays(tmp_path):
    target = tmp_path / "numbers.json"
    for content, held in (("κ\n", "κ\n".encode()), (b"\x00\r\n", b"\x00\r\n")):
        write_whole(target, content)
        assert target.read_bytes() == held
    assert list(tmp_path.iterdir()) == [target]


def test_what_was_there_stays_where_writing_fails(tmp_path):
    target = tmp_path / "numbers.json"
    target.write_text("old")

    def fail():
        with draft_of(target) as draft:
            draft.write_text("half")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_rows_become_csv_with_the_names_of_the_first():
    assert as_csv([{"policy": "a, b", "value": None}, {"policy": "ü", "value": 0.5}]) == (
        'policy,value\r\n"a, b",\r\nü,0.5\r\n'
    )


@pytest.mark.parametrize("place", ["missing/table.csv", "file/table.csv", "folder"])
def test_a_table_that_cannot_be_written_is_told_in_one_sentence(place, tmp_path):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match=r"^The table cannot be written to .* \(.*\): take another\.$"):
        write_table("a\r\n", tmp_path / place, "take another.")
    assert not list((tmp_path / "folder").iterdir())


def test_half_a_character_in_a_name_is_written_out(tmp_path):
    assert write_table("\ud800,κ\r\n", tmp_path / "table.csv").read_bytes() == "\\ud800,κ\r\n".encode()
