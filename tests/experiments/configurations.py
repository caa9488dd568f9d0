"""Hypothesis strategies that draw configurations of every study of the package."""

from __future__ import annotations

from hypothesis import strategies as st

from ludens.envs import PROTOCOLS
from ludens.envs.av.dilemma import vignette as dilemma
from ludens.envs.pricing import CheapTalk, DemandShock, Exit, Market, Prominence, Regulator
from ludens.experiments.av import AdoptionConfig, AvConfig, MoralMachineConfig
from ludens.experiments.bench.study import BenchConfig
from ludens.experiments.budgets.study import BudgetConfig
from ludens.experiments.play.study import PlayConfig
from ludens.experiments.populations.evolve_config import EvolveConfig
from ludens.experiments.populations.invasion_config import InvasionConfig
from ludens.experiments.populations.tournament_config import TournamentConfig
from ludens.experiments.pricing.config import PricingConfig
from ludens.experiments.pricing.deviations_config import DeviateConfig
from ludens.experiments.pricing.implant import ImplantConfig
from ludens.experiments.pricing.judging import JudgeConfig
from ludens.experiments.pricing.sweep_config import SweepConfig
from ludens.training.evaluation.exam import ExamConfig

COMMON = {"seed": st.integers(0, 2**40), "concurrency": st.integers(1, 64)}
TEXTS = st.text(min_size=1).filter(lambda text: text.strip())
VALUES = st.one_of(st.integers(0, 2**31), st.floats(0, 2), TEXTS, st.booleans(), st.lists(TEXTS, max_size=2))
# An address is kept without what may be a secret in it, so that a text that is none would not come back.
ADDRESSES = st.sampled_from(["http://127.0.0.1:9/v1", "https://models.example/v1"])
SETTINGS = st.fixed_dictionaries(
    {}, optional={"temperature": VALUES, "persona": VALUES, "note": VALUES, "api_base": ADDRESSES}
)
NAMED = st.sampled_from(["random", "homo_economicus", "homo_moralis:0.5", "openai/x", "local/a b.gguf"])
POLICIES = st.one_of(NAMED, st.builds(lambda spec, more: {"spec": spec, **more}, NAMED, SETTINGS))


def labelled(policies, prefix=""):
    """The same with labels that differ."""
    return [
        {"label": f"{prefix}{place}", **(each if isinstance(each, dict) else {"spec": each})}
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
BUDGET = st.builds(
    BudgetConfig,
    models=st.lists(POLICIES, min_size=1, max_size=3).map(labelled),
    domains=st.lists(st.sampled_from(["social", "risk", "time"]), min_size=1, unique=True),
    budgets=st.integers(1, 40),
    points=st.integers(3, 30),
    draw=st.integers(0, 2**31),
    replicates=st.integers(1, 9),
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
        "payoffs": st.lists(st.integers(1, 99).map(float), min_size=4, max_size=4, unique=True).map(
            lambda payoffs: sorted(payoffs, reverse=True)  # T > R > P > S
        ),
        "node": st.sampled_from(["opening", "reply to trust"]),
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


def _seen(vignette):
    """The same vignette with somebody in the car who can sit there."""
    own = dilemma.SELF if vignette["perspective"] == "passenger" else "stranger"
    return {**vignette, "passengers": [own, *vignette["passengers"]]}


VIGNETTES = st.fixed_dictionaries(
    {
        "passengers": st.lists(st.sampled_from(dilemma.PASSENGERS[1:]), max_size=4),
        "perspective": st.sampled_from(dilemma.PERSPECTIVES),
    },
    optional={
        "pedestrians": st.integers(1, dilemma.MOST),
        "default": st.sampled_from(dilemma.DEFAULTS),
        "certainty": st.floats(0, 1, exclude_min=True),
        "regime": st.sampled_from(dilemma.REGIMES),
        "question": st.sampled_from(dilemma.QUESTIONS),
        "program": st.sampled_from(dilemma.PROGRAMS),
        "decider": st.sampled_from(dilemma.DECIDERS),
    },
).map(_seen)
ASKED = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"studies": st.lists(st.integers(1, 6), min_size=1)}),
    st.fixed_dictionaries({"design": st.lists(VIGNETTES, min_size=1, max_size=3)}),
)
WORDS = {"elicit": st.sampled_from(["auto", "logprobs", "sample"]), "persona": st.none() | TEXTS}
AV = st.builds(
    lambda asked, **config: AvConfig(**asked, **config),
    asked=ASKED,
    models=st.lists(POLICIES, min_size=1, max_size=3).map(labelled),
    perspectives=st.lists(st.sampled_from(dilemma.PERSPECTIVES), min_size=1),
    framings=st.lists(st.sampled_from(["neutral", "story"]), min_size=1),
    replicates=st.integers(1, 9),
    references=st.lists(POLICIES, max_size=2).map(lambda policies: labelled(policies, "r")),
    **WORDS,
    **COMMON,
)
MORAL_MACHINE = st.builds(
    lambda blocks, more, **config: MoralMachineConfig(scenarios=sum(blocks) + more, blocks=blocks, **config),
    blocks=st.lists(st.integers(1, 400), max_size=3),
    more=st.integers(1, 400),
    models=st.lists(POLICIES, min_size=1, max_size=3).map(labelled),
    order=st.sampled_from(["auto", "both", "random"]),
    **WORDS,
    **COMMON,
)
LAWS = st.fixed_dictionaries(
    {},
    optional={
        "mandate": st.booleans(),
        "fine": st.floats(0, 1),
        "subsidy": st.floats(0, 1),
        "period": st.integers(0, 9),
        "until": st.none() | st.integers(10, 20),
    },
)
ADOPTION = st.builds(
    AdoptionConfig,
    agents=st.lists(st.one_of(POLICIES, st.just("mixed:2,5")), min_size=2, max_size=2),
    sizes=st.none() | st.just([1, 5]),
    game=st.fixed_dictionaries(
        {"people": st.just(6)},
        optional={
            "pedestrians": st.none() | st.integers(1, 5),
            "accident": st.floats(0.01, 1 / 6),
            "symmetry": st.floats(0, 1),
            "price_utilitarian": st.floats(-1, 1),
            "ride_protective": st.floats(-1, 1),
            "economies": st.floats(0, 1),
            "regulation": st.none() | LAWS,
        },
    ),
    rounds=st.integers(1, 50),
    populations=st.integers(1, 9),
    realised=st.booleans(),
    **COMMON,
)
INTERVENTIONS = st.lists(
    st.one_of(
        st.builds(CheapTalk, st.integers(1, 999)),
        st.builds(Exit, st.integers(2, 99), st.just(1)),
        st.builds(DemandShock, st.integers(1, 9), st.tuples(st.floats(-1, 1), st.floats(-1, 1))),
        st.builds(Regulator, st.floats(0, 9), st.floats(0, 9), st.floats(0, 1)),
        st.builds(Prominence, bonus=st.none() | st.floats(0, 1)),
    ),
    max_size=3,
    unique_by=type,
)
NUMBERS = st.floats(0.5, 4)
MARKETS = st.one_of(
    st.fixed_dictionaries(
        {},
        optional={
            "mu": st.floats(0.1, 1),
            "outside": st.floats(-1, 1),
            "qualities": st.tuples(NUMBERS, NUMBERS),
            "costs": st.tuples(NUMBERS, NUMBERS),
            "price_scale": NUMBERS,
        },
    ),
    st.just({"demand": "nested", "nests": (0, 1), "nest_parameter": (0.5, 0.25)}),
    st.just({"demand": "linear", "slopes": ((1.0, -0.25), (-0.25, 1.0))}),
    st.just(Market.symmetric(2)),
)


def priced(firms, grids):
    """Markets of these firms with one of these price grids."""
    return st.builds(
        PricingConfig,
        firms=firms,
        market=MARKETS,
        scales=st.lists(NUMBERS, min_size=1, max_size=3),
        runs=st.integers(1, 9),
        periods=st.integers(1, 999),
        prefix=st.sampled_from(["P0", "P3", "Charge what the market bears."]),
        discount=st.floats(0, 0.99),
        ceiling=st.sampled_from([None, (), (1.5, 2.5), [2, 2]]),
        interventions=INTERVENTIONS,
        price_grid=st.sampled_from(grids),
        **COMMON,
    )


PRICING = st.one_of(
    priced(st.tuples(POLICIES, POLICIES), [None, [1.5, 1.75], [[1.5, 1.75], [1.25, 2.0]]]),
    priced(st.just("nash"), [None, [1.5, 1.75]]),
    st.builds(PricingConfig, firms=st.tuples(POLICIES, POLICIES), price_grid=st.just(15)),
)
SOURCE = st.sampled_from(["runs/a b.db", "/runs/ß.db"])
IMPLANT = st.builds(
    ImplantConfig,
    source=SOURCE,
    periods=st.tuples(st.integers(1, 5), st.integers(5, 13)),
    places=st.integers(1, 9),
    replicates=st.integers(1, 9),
    sentences=st.dictionaries(
        TEXTS.map("group {}".format), TEXTS.map(lambda text: (text,)), min_size=1, max_size=1
    ),
    firms=st.lists(POLICIES, max_size=2),
    **COMMON,
)
DEVIATE = st.builds(
    DeviateConfig,
    source=SOURCE,
    periods=st.lists(st.integers(1, 300), max_size=2),
    deviators=st.lists(st.integers(0, 3), max_size=2),
    to=st.sampled_from(["best-reply", 1.6, "-10%", "step:-2"]),
    length=st.integers(1, 3),
    after=st.integers(1, 30),
    replicates=st.integers(1, 9),
    discount=st.none() | st.floats(0, 0.99),
    tolerance=st.floats(0, 0.5),
    firms=st.lists(POLICIES, max_size=2),
    played=st.sampled_from([{}, {"firms": ["nash", "openai/x"], "periods": 3}]),
    points=st.lists(
        st.fixed_dictionaries({"source": st.integers(0, 9), "period": st.integers(1, 9)}), max_size=2
    ),
    **COMMON,
)
JUDGE = st.builds(JudgeConfig, source=SOURCE, judge=POLICIES, sample=st.integers(1, 999), **COMMON)

RATES = st.lists(st.floats(0.01, 0.99), min_size=1, max_size=2)
SWEEP = st.builds(
    SweepConfig,
    settings=st.fixed_dictionaries(
        {},
        optional={
            "points": st.integers(2, 5),
            "mu": st.floats(0.1, 1),
            "ties": st.sampled_from(["random", "lowest"]),
            "moves": st.sampled_from(["together", "in turns"]),
            "interventions": st.just([{"kind": "DemandShock", "period": 9, "qualities": 0.5}]),
        },
    ),
    vary=st.fixed_dictionaries({}, optional={"alpha": RATES, "discount": RATES}),
    cells=st.lists(
        st.fixed_dictionaries(
            {"label": TEXTS},
            optional={"firms": st.integers(2, 3), "published": st.builds(dict, gain=st.floats(0, 1))},
        ),
        max_size=2,
    ),
    sessions=st.integers(1, 9),
    tests=st.booleans(),
    **COMMON,
)
WEIGHTS = st.lists(st.floats(0, 1), min_size=2, max_size=4, unique=True)
INVASION = st.builds(
    InvasionConfig,
    game=st.sampled_from(
        [
            {"name": "two_actions", "payoffs": [[3, 0], [5, 1]]},
            {"name": "linear_public_good", "players": 3, "marginal_return": 0.5},
            {"name": "cournot", "intercept": 9.5, "cost": 1},
        ]
    ),
    kappas=WEIGHTS,
    assortativity=st.floats(0, 1),
    process=st.sampled_from(["moran", "pairwise", "wright_fisher"]),
    replicates=st.integers(1, 9),
    **COMMON,
)
EVOLVE = st.builds(
    EvolveConfig,
    payoffs=st.just([[1, 2.5], [0, 3]]),
    types=st.sampled_from([[], ["always_defect", "openai/x"]]),
    errors=st.none() | st.just([[0.1, 0], [0, 2]]),
    dynamics=st.lists(st.sampled_from(["replicator", "logit", "moran"]), min_size=1, unique=True),
    start=st.none() | st.just([0.25, 0.75]),
    noise=st.none() | st.floats(0.01, 9),
    mutation=st.floats(0, 1),
    **COMMON,
)
TOURNAMENT = st.builds(
    TournamentConfig,
    policies=st.lists(POLICIES, min_size=2, max_size=3).map(labelled),
    games=st.sampled_from(
        [[{"id": "trust-v0", "protocol": "TG1"}], [{"id": "prisoners_dilemma-v0", "rounds": 3}]]
    ),
    matches=st.integers(1, 9),
    pairings=st.none() | st.just([["0", "1"]]),
    **COMMON,
)
CONFIGURATIONS = {
    "adoption": ADOPTION,
    "av": AV,
    "bench": BENCH,
    "budget": BUDGET,
    "deviate": DEVIATE,
    "evolve": EVOLVE,
    "exam": EXAM,
    "implant": IMPLANT,
    "invasion": INVASION,
    "judge": JUDGE,
    "moral_machine": MORAL_MACHINE,
    "play": PLAY,
    "pricing": PRICING,
    "sweep": SWEEP,
    "tournament": TOURNAMENT,
}
