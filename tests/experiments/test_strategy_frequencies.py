"""Strategies of policies, estimated from runs of a repeated prisoner's dilemma and from tables."""

from __future__ import annotations

import json

import pytest

from ludens.cli.entry import main
from ludens.errors import UsageError
from ludens.experiments import play
from ludens.experiments.estimates.estimate import EstimateRequest, estimate

REPEATED = ("prisoners_dilemma-v0", {"protocol": "PD1", "rounds": 10})


@pytest.mark.parametrize(
    ("policy", "strategy"),
    [("tit_for_tat", "tit_for_tat"), ("grim", "grim"), ("always_defect", "always_defect")],
)
def test_the_strategy_of_a_scripted_policy_is_recognised(tmp_path, policy, strategy):
    play(REPEATED, [policy, "random"], episodes=8, path=tmp_path / "run.db", seed=3)
    (table,) = estimate(tmp_path / "run.db", EstimateRequest("sfem", draws=50))
    column = {each.title: {value.name: value for value in each.values} for each in table.columns}[policy]
    assert column[strategy].estimate == pytest.approx(1, abs=1e-3)
    assert column["tremble"].estimate == pytest.approx(0, abs=1e-3)


def test_the_command_prints_the_shares_of_a_table(tmp_path, capsys):
    file = tmp_path / "rounds.csv"
    rows = ["subject,match,round,own,other"]
    for subject in range(6):
        for round_, other in enumerate("CDDCCD"):
            own = "D" if subject < 2 else ("C" + "CDDCCD")[round_]
            rows.append(f"{subject},1,{round_},{own},{other}")
    file.write_text("\n".join(rows))
    assert main(["estimate", str(file), "--model", "sfem", "--draws", "100", "--json"]) == 0
    shown = json.dumps(json.loads(capsys.readouterr().out))
    assert '"tit_for_tat"' in shown
    assert main(["estimate", str(file), "--model", "sfem", "--draws", "20"]) == 0
    printed = capsys.readouterr().out
    assert "always defect" in printed
    assert "0.33" in printed
    assert main(["estimate", str(file), "--model", "sfem", "--types", "2"]) == 2
    assert "--types has no effect" in " ".join(capsys.readouterr().err.split())


def test_a_run_without_a_repeated_dilemma_is_refused(tmp_path):
    play(("trust-v0", {"protocol": "TG1"}), ["tit_for_tat", "random"], path=tmp_path / "run.db")
    with pytest.raises(UsageError, match="no repeated game of two players"):
        estimate(tmp_path / "run.db", EstimateRequest("sfem"))
