"""Modules of PyTorch play by the file that they were saved in, and a run goes on with that file alone."""

from __future__ import annotations

import json
import shutil
import sys
import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

from ludens.agents import CallablePolicy, against, declaration_of, make_policy
from ludens.agents.trained.names import NAMES, moved, path_in, pinned
from ludens.cli import app
from ludens.envs import PROTOCOLS
from ludens.envs.tree.questions import questions
from ludens.errors import LudensError, UsageError
from ludens.experiments import bench, play, resume
from ludens.experiments.pricing import play_pricing
from ludens.experiments.pricing.history import histories
from ludens.experiments.report.names import policy_name
from ludens.experiments.runs.run import Run
from ludens.experiments.study.engine import load

torch = pytest.importorskip("torch", reason="torch is not installed: only policies saved by it need it")
RNG = np.random.default_rng(0)

NETS = """
import torch

class Actor(torch.nn.Module):
    def __init__(self, inputs=6, actions=15):
        super().__init__()
        self.layer = torch.nn.Linear(inputs, actions)

    def forward(self, observation):
        return self.layer(observation)

def not_a_module():
    return 3
"""


@pytest.fixture
def nets(tmp_path, monkeypatch):
    """A module of the user's own, importable as nets_of_a_test."""
    (tmp_path / "nets_of_a_test.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("nets_of_a_test", None)
    import nets_of_a_test

    yield nets_of_a_test
    sys.modules.pop("nets_of_a_test", None)


def preferring(nets, action, inputs=6, actions=15):
    """An actor that prefers one action whatever it observes."""
    actor = nets.Actor(inputs, actions)
    with torch.no_grad():
        actor.layer.weight.zero_()
        actor.layer.bias.copy_(torch.arange(actions) == action)
    return actor


def saved(actor, path, env, kind="script"):
    extra = {"ludens.json": json.dumps(declaration_of(env))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is called old
        if kind == "script":
            torch.jit.save(torch.jit.script(actor), str(path), _extra_files=extra)
        elif kind == "export":
            example = torch.zeros(1, env.observation_space.shape[0])
            torch.export.save(torch.export.export(actor, (example,)), str(path), extra_files=extra)
        else:
            torch.save({"state": actor.state_dict(), "ludens.json": extra["ludens.json"]}, path)
    return path


@pytest.mark.parametrize(
    ("kind", "more"), [("script", ""), ("export", ""), ("state", ",module=nets_of_a_test:Actor")]
)
def test_a_saved_module_prices_at_its_point_of_the_grid(nets, tmp_path, kind, more):
    env = against("bertrand", "myopic", periods=4)
    saved(preferring(nets, 3), tmp_path / "actor.pt", env, kind)
    run = play_pricing([f"torch:actor.pt{more}", "myopic"], periods=4, path=tmp_path / "run.db")
    assert histories(run)[0].prices[:, 0] == pytest.approx(np.full(4, env.env.options.grid[0, 3]), rel=1e-12)
    assert run.manifest["config"]["firms"][0]["spec"] == f"torch:actor.pt{more}"
    assert len(run.manifest["config"]["firms"][0]["sha256"]) == 64


def test_its_scores_are_choice_probabilities(nets, tmp_path):
    env = against("trust", "random", protocol="TG5")
    turn = questions(PROTOCOLS["TG5"])["opening"]
    saved(preferring(nets, 1, env.observation_space.shape[0], 2), tmp_path / "actor.pt", env)
    assert make_policy("torch:actor.pt").decide(turn, RNG).probabilities == (0.0, 1.0)
    drawn = make_policy("torch:actor.pt,deterministic=0").decide(turn, RNG)
    assert drawn.provenance == "exact"
    assert drawn.probabilities == pytest.approx((1 / (1 + np.e), np.e / (1 + np.e)))


def test_a_bare_state_takes_the_environment_from_the_name(nets, tmp_path):
    torch.save(preferring(nets, 2).state_dict(), tmp_path / "state.pt")
    with pytest.raises(UsageError, match="does not say what it was trained in"):
        make_policy("torch:state.pt,module=nets_of_a_test:Actor", "bertrand")
    policy = make_policy("torch:state.pt,module=nets_of_a_test:Actor,env=bertrand,seat=firm_0", "bertrand")
    assert policy.declaration["seat"] == "firm_0"
    other = make_policy(
        {
            "spec": "torch:state.pt",
            "module": "nets_of_a_test:Actor",
            "env": {"id": "bertrand", "grid": np.linspace(1.4, 2, 15).tolist()},
        },
        "bertrand",
    )
    assert other.declaration["grid"][0][0] == 1.4
    assert make_policy(other.describe(), "bertrand").describe() == other.describe()


def test_an_actor_of_any_price_names_it(nets, tmp_path):
    env = against("bertrand", "myopic", actions="continuous")
    actor = preferring(nets, 0, 6, 1)
    with torch.no_grad():
        actor.layer.bias.fill_(1.5)
    saved(actor, tmp_path / "actor.pt", env)
    run = play_pricing(["torch:actor.pt", "nash"], periods=2, scales=(2.0,), path=tmp_path / "run.db")
    assert histories(run)[0].prices[:, 0] == pytest.approx([3.0, 3.0])


@pytest.mark.parametrize("how", ["text", "mapping", "policy"])
def test_a_run_is_resumed_with_the_same_file_alone(nets, tmp_path, how, monkeypatch):
    env = against("bertrand", "myopic", periods=4)
    file = saved(preferring(nets, 3), tmp_path / "actor.pt", env)
    original = file.read_bytes()
    given = {"text": "torch:actor.pt", "mapping": {"spec": "torch:actor.pt"}}.get(how)
    given = make_policy("torch:actor.pt", "bertrand") if given is None else given
    path = tmp_path / "run.db"
    interrupted(play_pricing, [given, "myopic"], path, monkeypatch)
    saved(preferring(nets, 9), file, env)
    with pytest.raises(UsageError, match="not the one that the run began with, because its file has changed"):
        resume(path)
    with pytest.raises(UsageError, match="'firm_0' is"):
        resume(path, firms=["torch:actor.pt", "myopic"])
    file.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        resume(path)
    # Wherever the file lies now, its content counts.
    elsewhere = tmp_path / "a=b" / "moved.pt"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(original)
    run = resume(path, firms=[{"spec": f"torch:{elsewhere}", "label": "torch:actor.pt"}, "myopic"])
    assert histories(run)[0].prices.shape == (4, 2)
    assert len(np.unique(histories(run)[0].prices[:, 0])) == 1


def interrupted(start, firms, path, monkeypatch):
    """Begin a run of a market and break it off after some decisions."""
    asked = []

    def tired(progress):
        asked.append(progress)
        if len(asked) == 4:
            raise LudensError("enough")

    with pytest.raises(LudensError, match="enough"):
        start(firms, periods=4, path=path, progress=tired)


def test_a_saved_module_is_benchmarked_and_played_from_the_command_line(nets, tmp_path):
    env = against("trust", "random")
    saved(preferring(nets, 1, env.observation_space.shape[0], 2), tmp_path / "actor.pt", env)
    command = CliRunner()
    done = command.invoke(app, ["bench", "torch:actor.pt", "--protocols", "TG1,TG2", "--out", "b.db"])
    assert done.exit_code == 0, done.output
    assert "torch:actor.pt" in done.output
    with Run(tmp_path / "b.db") as run:
        own = [each for each in run.decisions() if each.labels["policy"] == "torch:actor.pt"]
        assert {each.decision.action for each in own} == {1}
    refused = command.invoke(app, ["bench", "torch:actor.pt", "--out", "all.db"])
    assert refused.exit_code == 2
    assert "cannot decide for" in " ".join(refused.output.split())
    assert not (tmp_path / "all.db").exists()
    done = command.invoke(
        app, ["play", "trust", "-p", "torch:actor.pt", "-p", "tit_for_tat", "--out", "p.db"]
    )
    assert done.exit_code == 0, done.output
    again = bench(["torch:actor.pt"], protocols=("TG1", "TG2"), path=tmp_path / "again.db")
    assert load(tmp_path / "b.db")[1].table == again.table
    assert play("trust", ["torch:actor.pt", "random"], path=tmp_path / "q.db").summary()


def test_firms_are_priced_from_the_command_line(nets, tmp_path):
    saved(preferring(nets, 3), tmp_path / "actor.pt", against("bertrand", "myopic"))
    done = CliRunner().invoke(
        app, ["price", "--firms", "torch:actor.pt,deterministic=1,myopic", "--periods", "3", "--out", "m.db"]
    )
    assert done.exit_code == 0, done.output
    with Run(tmp_path / "m.db") as run:
        assert run.manifest["config"]["firms"][0]["spec"] == "torch:actor.pt,deterministic=1"
    shown = CliRunner().invoke(app, ["show", "m.db"])
    assert shown.exit_code == 0, shown.output


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("torch:nothing.pt", "cannot be read"),
        ("torch", "needs its file: write torch:actor.pt"),
        ("torch:text.pt", "neither TorchScript nor an exported program"),
        ("torch:state.pt", "neither TorchScript nor an exported program"),
        ("torch:state.pt,module=nets_of_a_test:Nobody", "cannot be loaded"),
        ("torch:state.pt,module=nets_of_a_test:not_a_module", "gives int, which is no module"),
        ("torch:text.pt,module=nets_of_a_test:Actor,env=bertrand", "cannot be loaded"),
        ("torch:state.pt,module=nets_of_a_test:Actor,env=chess", "chess"),
        ("torch:state.pt,lr=3", "no setting 'lr'"),
        ("torch:state.pt,transfer=yes", "needs a number for transfer"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(nets, tmp_path, spec, message):
    (tmp_path / "text.pt").write_text("weights")
    torch.save(nets.Actor().state_dict(), tmp_path / "state.pt")
    with pytest.raises(UsageError, match=message) as error:
        make_policy(spec, "bertrand")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("head", "package"), [("sb3", "stable-baselines3"), ("torch", "torch"), ("rllib", "ray")]
)
def test_a_library_that_is_not_installed_is_one_sentence(head, package, tmp_path, monkeypatch):
    file = tmp_path / "saved"
    if head == "sb3":
        import zipfile

        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("data", json.dumps({"clip_range": 0.2}))
    elif head == "rllib":
        file.mkdir()
    else:
        file.write_text("weights")
    monkeypatch.setitem(sys.modules, package.replace("-", "_"), None)
    with pytest.raises(UsageError, match=f"needs {package}.*pip install '?{package}"):
        make_policy(f"{head}:{file}", "trust")


def test_names_of_files_are_read_as_such(tmp_path):
    assert path_in("sb3:runs/lr=0.1/ppo.zip,deterministic=0") == "runs/lr=0.1/ppo.zip"
    assert path_in("fixed:1.7") is None
    assert path_in("openai/gpt-5-mini") is None
    assert moved("sb3:runs/ppo.zip,deterministic=0") == "sb3:,deterministic=0"
    assert policy_name("sb3:runs/ppo.zip") == "sb3:runs/ppo.zip"
    assert pinned("sb3:nothing.zip") == "sb3:nothing.zip"
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "a").write_text("1")
    first = pinned(f"rllib:{folder}")["sha256"]
    shutil.copytree(folder, tmp_path / "copy")
    assert pinned(f"rllib:{tmp_path / 'copy'}")["sha256"] == first
    (folder / "a").rename(folder / "b")
    assert pinned(f"rllib:{folder}")["sha256"] != first
    assert set(NAMES) == {"sb3", "rllib", "torch"}


def test_names_of_files_are_listed_where_a_name_is_unknown():
    with pytest.raises(UsageError, match=r"sb3:ppo.zip, rllib:checkpoint, torch:actor.pt, and every"):
        make_policy("chess")


def test_a_module_of_the_users_may_give_a_policy(nets, tmp_path):
    (tmp_path / "own_of_a_test.py").write_text(
        "from ludens.agents import CallablePolicy\n"
        "def cautious(level=0):\n"
        "    return CallablePolicy(lambda observation: int(level), 'cautious', env='trust')\n"
    )
    policy = make_policy("own_of_a_test:cautious:1", "trust")
    assert isinstance(policy, CallablePolicy)
    assert policy.decide(questions(PROTOCOLS["TG5"])["opening"], RNG).action == 1
    assert policy.describe()["spec"] == "own_of_a_test:cautious:1"
