"""The specifications of the environments of this package; each is loaded when the first one is made."""

from __future__ import annotations

from ludens.envs.spec import EnvSpec, register

DILEMMA = EnvSpec(
    "ludens/av_dilemma-v0",
    "Autonomous-vehicle dilemma, judged by respondents",
    "Bonnefon, Shariff & Rahwan (2016)",
    ("passenger", "pedestrian", "bystander", "programmer", "regulator"),
    (
        "study", "respondents", "perspective", "vignettes", "order", "rounds", "max_cycles", "render_mode",
        "observation", "pedestrians", "passengers", "default", "certainty", "regime", "question", "program",
        "decider",
    ),
    "ludens.envs.av.dilemma.env:AvDilemmaEnv",
)  # fmt: skip
MORAL_MACHINE = EnvSpec(
    "ludens/moral_machine-v0",
    "Moral Machine, scenarios with two groups",
    "Awad et al. (2018)",
    ("bystander", "first", "second"),
    (
        "respondents", "scenarios", "draw", "types", "perspective", "order", "max_cycles", "render_mode",
        "observation",
    ),
    "ludens.envs.av.moral_machine.env:MoralMachineEnv",
)  # fmt: skip
ADOPTION = EnvSpec(
    "ludens/av_adoption-v0",
    "Autonomous cars: a population chooses programs",
    "after Bonnefon, Shariff & Rahwan (2016)",
    ("owner",),
    (
        "people", "pedestrians", "accident", "symmetry", "price_utilitarian", "price_protective",
        "ride_utilitarian", "ride_protective", "economies", "regulation", "rounds", "payoffs", "memory",
        "max_cycles", "render_mode", "observation",
    ),
    "ludens.envs.av.adoption.env:AdoptionEnv",
)  # fmt: skip

KINDS: tuple[EnvSpec, ...] = (DILEMMA, MORAL_MACHINE, ADOPTION)
"""All of them, in the order of lists."""


def register_av() -> None:
    """Add them to both registries; repeating this changes nothing."""
    for spec in KINDS:
        register(spec.environment, spec.make)
