"""One slow or limited model does not keep the others of a run waiting."""

from __future__ import annotations

import threading
from dataclasses import replace

from ludens.experiments import Run, run_study
from ludens.experiments.bench.study import BenchConfig, BenchStudy
from ludens.experiments.runs.lanes import Lanes
from ludens.experiments.runs.records import EpisodeSpec
from tests.loopback import Loopback, say


def specs(names):
    return [EpisodeSpec(place, {"policy": name}) for place, name in enumerate(names)]


def lane_of(spec):
    return spec.labels["policy"]


def test_one_lane_keeps_the_order():
    lanes = Lanes(specs("abab"))
    assert [lanes.take().index for _ in range(4)] == [0, 1, 2, 3]
    assert lanes.take() is None


def test_lanes_share_alike_and_a_lane_that_is_left_has_all():
    lanes = Lanes(specs("aaaabb"), lane_of)
    taken = [lanes.take() for _ in range(4)]
    assert [lane_of(spec) for spec in taken] == ["a", "b", "a", "b"]
    lanes.ended(taken[1])
    lanes.ended(taken[3])
    assert [lanes.take().index for _ in range(2)] == [2, 3]
    assert lanes.take() is None


def test_the_next_comes_from_the_lane_with_the_fewest_under_way():
    lanes = Lanes(specs("aaabbb"), lane_of)
    first, second = lanes.take(), lanes.take()
    assert [first.index, second.index] == [0, 3]
    lanes.ended(second)
    assert lanes.take().index == 4
    lanes.ended(first)
    assert lanes.take().index == 1


def test_first_episodes_come_first_whichever_lane_they_are_in():
    lanes = Lanes(specs("aaabbb"), lane_of, first={0, 1, 3})
    assert [lanes.take().index for _ in range(6)] == [0, 3, 1, 4, 2, 5]


def test_a_model_that_hangs_does_not_starve_another(tmp_path):
    answered = threading.Event()
    waited = []

    def heard():
        waited.append(answered.wait(timeout=300))

    def quick(request):
        if fast.count == needed:
            answered.set()
        return say("A")

    def model(server, label):
        return {"spec": "openai/loopback", "api_base": server.url, "api_key": "none", "label": label}

    with Loopback(otherwise=quick) as fast, Loopback(otherwise=replace(say("A"), heard=heard)) as slow:
        needed = 6
        config = BenchConfig(
            models=[model(slow, "slow"), model(fast, "fast")],
            elicit="sample",
            protocols=["SPD5"],
            framings=["neutral"],
            concurrency=2,
        )
        run_study(BenchStudy(config), tmp_path / "r.db")
        assert fast.count == needed
    assert all(waited)
    with Run(tmp_path / "r.db") as run:
        assert run.manifest["status"] == "done"
