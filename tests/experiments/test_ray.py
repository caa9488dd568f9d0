"""A run on a real cluster of two nodes, one of which is killed in the middle."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ludens.errors import LudensError
from ludens.experiments import compute, play, run_study
from ludens.preferences import homo_moralis
from ludens.training import build_dataset
from tests.experiments.test_executors import bench, bootstrapped, rows_of
from tests.experiments.test_resume import by_prompt, requests_of
from tests.loopback import Loopback

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        patch.setenv("OPENAI_API_KEY", "none")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        yield cluster
        ray.shutdown()
        cluster.shutdown()


def test_a_node_is_killed_and_the_rows_are_those_of_one_process(cluster, tmp_path):
    with Loopback(otherwise=by_prompt) as server:
        whole = run_study(bench(server, executor="asyncio"), tmp_path / "whole.db").path
    other = next(node for node in cluster.list_all_nodes() if node is not cluster.head_node)
    nodes = []

    def kill(request):
        if again.count == 15:
            nodes.append({each["node_id"] for each in list_actors() if each["state"] == "ALIVE"})
            cluster.remove_node(other, allow_graceful=False)
        return by_prompt(request)

    with Loopback(otherwise=kill) as again:
        study = bench(again, executor="ray", workers=2, address=cluster.address)
        broken = run_study(study, tmp_path / "broken.db").path
    assert nodes == [{cluster.head_node.node_id, other.node_id}]
    assert rows_of(broken) == rows_of(whole)
    assert requests_of(server) - requests_of(again) == Counter()
    # Each worker has three of the six questions that are open at once.
    assert (requests_of(again) - requests_of(server)).total() <= 3


def list_actors():
    return [
        {"node_id": each["Address"]["NodeID"], "state": each["State"]}
        for each in ray._private.state.actors().values()
    ]


def test_bootstraps_are_the_same_on_a_cluster(cluster):
    there = bootstrapped(partial(compute, executor="ray", workers=1, address=cluster.address))
    for one, other in zip(bootstrapped(map), there, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_data_set_is_the_same_on_a_cluster(cluster):
    there = partial(compute, executor="ray", workers=1, address=cluster.address)
    one, other = (
        build_dataset(homo_moralis(0.5), examples=70, domains=("games", "pricing"), map_with=map_with)
        for map_with in (map, there)
    )
    assert one == other


def test_an_address_without_a_cluster_is_one_sentence(tmp_path):
    with pytest.raises(LudensError, match=r"No Ray cluster answers at '127\.0\.0\.1:1'.*ray start"):
        play("trust-v0", "random", path=tmp_path / "run.db", executor="ray", address="127.0.0.1:1")
    assert not list(tmp_path.iterdir())
