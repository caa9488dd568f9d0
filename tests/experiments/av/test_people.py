"""People's answers to the Moral Machine in the public layout, written from scenarios with planted effects."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import tarfile

import numpy as np
import pytest
from typer.testing import CliRunner

from ludens.cli import app
from ludens.envs.av.moral_machine.scenarios import TYPES, draw_scenarios
from ludens.errors import UsageError
from ludens.experiments.av.amce import effects
from ludens.experiments.av.people import _CODES, _COUNTS, read_answers

LEVELS = {
    "species": ("Species", "Pets", "Hoomans"), "social status": ("Social Status", "Low", "High"),
    "gender": ("Gender", "Male", "Female"), "age": ("Age", "Old", "Young"),
    "fitness": ("Fitness", "Fat", "Fit"), "number": ("Utilitarian", "Less", "More"),
    "random": ("Random", "Rand", "Rand"),
}  # fmt: skip
PLANTED = {"species": 0.6, "number": 0.4, "age": 0.3, "gender": 0.0, "fitness": -0.2, "social status": 0.1}
N, PEOPLE = 1200, 150


@pytest.fixture(scope="module")
def answered():
    """Scenarios, who spared the first group, who answered, and the rows of the file."""
    scenarios, rng = draw_scenarios(N, seed=3), np.random.default_rng(4)
    kinds = [TYPES[number] for number in scenarios.type]
    gain = np.array([PLANTED.get(kind, 0.0) for kind in kinds])
    spared = rng.random(N) < 0.5 + gain / 2 * np.where(scenarios.level[:, 0] == 1, 1, -1)
    person = rng.integers(PEOPLE, size=N)
    rows = []
    for place in range(N):
        kind, low, high = LEVELS[kinds[place]]
        for side in (0, 1):
            aboard, lawful = scenarios.passengers[place, side], scenarios.legality[place, side]
            rows.append(
                {
                    "ResponseID": f"r{place}",
                    "UserID": f"{person[place]}.0",
                    "Intervention": int(scenarios.inaction[place, side]),
                    "PedPed": int(not scenarios.passengers[place].any()),
                    "Barrier": int(aboard),
                    "CrossingSignal": {0: 0, 1: 1, -1: 2}[int(lawful)],
                    "AttributeLevel": high if scenarios.level[place, side] == 1 else low,
                    "ScenarioTypeStrict": kind,
                    "ScenarioType": kind,
                    "Saved": int(spared[place] == (side == 0)),
                    "UserCountry3": "USA" if place % 3 else "FRA",
                    **dict(zip(_COUNTS, scenarios.counts[place, side].tolist(), strict=True)),
                }
            )
    return scenarios, spared.astype(float), person, rows


def text_of(rows):
    out = io.StringIO()
    table = csv.DictWriter(out, list(rows[0]))
    table.writeheader()
    table.writerows(rows)
    return out.getvalue()


def test_planted_effects_come_back(answered, tmp_path):
    _, _, _, rows = answered
    path = tmp_path / "shared.csv"
    path.write_text(text_of(rows), encoding="utf-8")
    found = read_answers(path).effects()
    for name, planted in PLANTED.items():
        assert abs(found[name].value - planted) < 4 * found[name].error, name
        assert found[name].scenarios == N // 7 + (TYPES.index(name) < N % 7)


@pytest.mark.parametrize("ending", [".csv.gz", ".tar.gz"])
def test_rows_in_any_order_are_the_scenarios_they_came_from(answered, tmp_path, ending):
    scenarios, spared, person, rows = answered
    mixed = [rows[place] for place in np.random.default_rng(5).permutation(len(rows))]
    path, text = tmp_path / f"shared{ending}", text_of(mixed).encode()
    if ending == ".tar.gz":
        with tarfile.open(path, "w:gz") as archive:
            entry = tarfile.TarInfo("SharedResponses.csv")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    else:
        path.write_bytes(gzip.compress(text))
    answers = read_answers(path)
    assert answers.notes == (f"{N} answers of {len(set(person.tolist()))} people.",)
    # The published weights of whole scenarios, by group: those of passengers know no signal.
    cells = read_answers_in_order(rows, tmp_path).cells
    expected = effects(scenarios, spared, clusters=person, cells=cells)
    for name, effect in answers.effects().items():
        assert effect.value == pytest.approx(expected[name].value, abs=1e-12)
        assert effect.error == pytest.approx(expected[name].error, rel=1e-9)
        assert effect.scenarios == expected[name].scenarios


def read_answers_in_order(rows, folder):
    path = folder / "in_order.csv"
    path.write_text(text_of(rows), encoding="utf-8")
    return read_answers(path)


def test_weights_are_the_published_ones(answered, tmp_path):
    """By hand: .48·.2 for lawful pedestrians who die if the car stays, .48·.32 if it swerves, and so on."""
    _, _, _, rows = answered
    answers = read_answers_in_order(rows, tmp_path)
    by_hand = {
        (0, 1, 0, 0): 0.48 * 0.48, (0, 1, 0, 1): 0.48 * 0.2, (0, 1, 0, 2): 0.48 * 0.32,
        (1, 1, 0, 1): 0.48 * 0.32, (1, 1, 0, 2): 0.48 * 0.2, (0, 0, 0, 0): 0.32 * 0.48,
        (0, 0, 0, 1): 0.32 * 0.2, (1, 0, 0, 2): 0.2 * 0.32, (0, 0, 1, 0): 0.2, (1, 0, 1, 0): 0.32,
    }  # fmt: skip
    seen = set()
    for row, cell in zip(rows, answers.cells.reshape(-1), strict=True):
        key = tuple(row[name] for name in _CODES[:4])
        if key in by_hand:
            assert cell == pytest.approx(by_hand[key]), key
            seen.add(key)
    assert seen == set(by_hand)


def test_rows_that_do_not_pair_are_counted_and_said(answered, tmp_path):
    _, _, _, rows = answered
    broken = [dict(row) for row in rows]
    broken[1]["Saved"] = broken[0]["Saved"]  # both groups of one response spared, or neither
    broken[2]["Man"] = ""
    del broken[10]
    answers = read_answers_in_order(broken, tmp_path)
    assert len(answers.scenarios) == N - 3
    assert answers.notes[1:] == (
        "Left out: 1 rows with cells that are empty or no code of the layout.",
        "Left out: 2 rows without the other row of their response.",
        "Left out: 2 rows of responses whose two rows contradict each other.",
    )


def test_the_command_prints_and_writes_the_effects(answered, tmp_path):
    _, _, _, rows = answered
    path = tmp_path / "shared.csv"
    path.write_text(text_of(rows), encoding="utf-8")
    run = CliRunner().invoke(app, ["av", "people", str(path), "--country", "FRA"])
    assert run.exit_code == 0, run.output
    assert f"{N // 3} answers of" in run.stdout
    run = CliRunner().invoke(app, ["av", "people", str(path), "--json", "--csv", str(tmp_path / "e.csv")])
    found = {row["attribute"]: row for row in json.loads(run.stdout)["effects"]}
    assert found["species"]["value"] == pytest.approx(read_answers(path).effects()["species"].value)
    assert found["species"]["people"] == 0.585
    assert len((tmp_path / "e.csv").read_text(encoding="utf-8").splitlines()) == 10


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n", "no column 'Intervention'"),
        (None, "holds no whole answer. Left out: 1 rows without the other"),
        ("ragged", "near line 3, has 1 cells"),
    ],
)
def test_other_files_are_refused(answered, tmp_path, text, told):
    _, _, _, rows = answered
    path = tmp_path / "shared.csv"
    text = text_of(rows[:1]) if text is None else text_of(rows[:1]) + "x\n" if text == "ragged" else text
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=told):
        read_answers(path)


def test_an_attribute_that_never_varies_has_no_effect(answered, tmp_path):
    """Where all cross lawfully, nothing is known of the law; one person alone has effects without errors."""
    _, _, _, rows = answered
    lawful = [row | {"CrossingSignal": 1, "UserID": "7"} if row["PedPed"] else row for row in rows]
    measured = read_answers_in_order(lawful, tmp_path).effects()
    assert math.isnan(measured["law"].value)
    assert all(math.isnan(end) for end in (*measured["law"].interval, measured["law"].error))
    assert measured["intervention"].value == pytest.approx(
        read_answers_in_order(rows, tmp_path).effects()["intervention"].value, abs=0.1
    )
    alone = read_answers_in_order([row | {"UserID": "7"} for row in rows], tmp_path).effects()["species"]
    assert alone.value == pytest.approx(0.6, abs=0.2)
    assert all(math.isnan(end) for end in (alone.error, *alone.interval))


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zip", "tar.gz"])
def test_damaged_archives_are_refused(answered, tmp_path, ending):
    _, _, _, rows = answered
    path = tmp_path / f"shared.csv.{ending}"
    path.write_bytes(b"no archive")
    with pytest.raises(UsageError, match="cannot be read"):
        read_answers(path)
    if ending == "gz":
        whole = bytearray(gzip.compress(text_of(rows).encode()))
        whole[len(whole) // 2 :] = bytes(len(whole) - len(whole) // 2)
        path.write_bytes(whole)
        with pytest.raises(UsageError, match="cannot be read"):
            read_answers(path)


def test_a_column_that_is_there_twice_is_refused(answered, tmp_path):
    _, _, _, rows = answered
    head, *lines = text_of(rows[:2]).splitlines()
    path = tmp_path / "shared.csv"
    path.write_text("\n".join([f"{head},Saved", *(f"{line},1" for line in lines)]), encoding="utf-8")
    with pytest.raises(UsageError, match="two columns called 'Saved'"):
        read_answers(path)


def test_a_country_without_answers_is_named(answered, tmp_path):
    _, _, _, rows = answered
    path = tmp_path / "shared.csv"
    path.write_text(text_of(rows[:4]), encoding="utf-8")
    with pytest.raises(UsageError, match="holds no row from the country 'XXX'"):
        read_answers(path, country="XXX")
