"""Hypothesis strategies that draw configurations of every study of the package."""

from __future__ import annotations

from hypothesis import strategies as st

from ludens.envs import PROTOCOLS
from ludens.experiments.bench.study import BenchConfig
from ludens.experiments.play.study import PlayConfig
from ludens.training.evaluation.exam import ExamConfig

COMMON = {"seed": st.integers(0, 2**40), "concurrency": st.integers(1, 64)}
TEXTS = st.text(min_size=1).filter(lambda text: text.strip())
SETTINGS = st.dictionaries(
    st.sampled_from(["temperature", "persona", "api_base", "max_tokens", "note"]),
    st.one_of(st.integers(0, 2**31), st.floats(0, 2), TEXTS, st.booleans(), st.lists(TEXTS, max_size=2)),
    max_size=3,
)
NAMED = st.sampled_from(["random", "homo_economicus", "homo_moralis:0.5", "openai/x", "local/a b.gguf"])
POLICIES = st.one_of(NAMED, st.builds(lambda spec, more: {"spec": spec, **more}, NAMED, SETTINGS))


def labelled(policies):
    """The same with labels that differ."""
    return [
        {"label": f"{place}", **(each if isinstance(each, dict) else {"spec": each})}
        for place, each in enumerate(policies)
    ]


BENCH = st.builds(
    BenchConfig,
    models=st.lists(POLICIES, min_size=1, max_size=3).map(labelled),
    framings=st.lists(st.sampled_from(["neutral", "story", "twin"]), min_size=1, unique=True),
    replicates=st.integers(1, 9),
    elicit=st.sampled_from(["auto", "logprobs", "sample"]),
    beliefs=st.booleans(),
    persona=st.none() | TEXTS,
    protocols=st.none() | st.lists(st.sampled_from(sorted(PROTOCOLS)), min_size=1, unique=True),
    **COMMON,
)
PLAY = st.builds(
    PlayConfig,
    environment=st.one_of(
        st.just("trust-v0"),
        st.builds(lambda n: ("trust-v0", {"rounds": n, "roles": "fixed"}), st.integers(1, 9)),
    ),
    policies=st.one_of(
        POLICIES,
        st.tuples(POLICIES, POLICIES),
        st.fixed_dictionaries({"player_0": POLICIES, "player_1": POLICIES}),
    ),
    episodes=st.integers(1, 99),
    **COMMON,
)
QUESTIONS = st.fixed_dictionaries(
    {
        "set": st.sampled_from(["held-out", "story"]),
        "family": st.just("trust"),
        "payoffs": st.lists(st.integers(1, 99).map(float), min_size=4, max_size=4),
        "node": st.sampled_from(["opening", "reply"]),
        "framing": st.sampled_from(["neutral", "story"]),
        "order": st.integers(0, 1),
    }
)
EXAM = st.builds(
    ExamConfig,
    policies=st.lists(POLICIES, min_size=1, max_size=2).map(labelled),
    questions=st.lists(QUESTIONS, max_size=3),
    kappa=st.floats(0, 1),
    **COMMON,
)

CONFIGURATIONS = {"bench": BENCH, "exam": EXAM, "play": PLAY}
