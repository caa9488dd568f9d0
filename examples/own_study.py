"""A study of your own in one file: does a policy keep its choice when the options change places?

Run it with `python examples/own_study.py`, or from a file with `ludens run order.toml`, which holds

    study = "own_study:OrderStudy"

    [order]
    policies = ["local/smollm2-135m", "homo_economicus"]
"""

from __future__ import annotations

from collections import defaultdict
from typing import ClassVar

from ludens.envs import PROTOCOLS
from ludens.envs.tree.questions import questions
from ludens.experiments import QuestionStudy, Run, StudyConfig, report, run_study
from ludens.experiments.report import Page, Table
from ludens.experiments.study.config import PolicySpecs
from ludens.experiments.study.questions import in_wording, named


class OrderConfig(StudyConfig):
    """Which policies are asked about which protocol."""

    kind: ClassVar[str] = "order"
    policies: PolicySpecs
    protocol: str = "TG5"


class OrderStudy(QuestionStudy[OrderConfig, dict[str, float]]):
    """Every question of a protocol in both orders; the result is the share of choices that stay the same."""

    config_type = OrderConfig
    title = "does the place of an option matter?"
    grows = frozenset({"policies"})

    def episodes(self):
        labels = [named(policy)["label"] for policy in self.config.policies]
        nodes = questions(PROTOCOLS[self.config.protocol])
        return [{"policy": p, "node": n, "framing": "neutral", "order": o}
                for p in labels for n in nodes for o in (0, 1)]  # fmt: skip

    def turn(self, labels):
        return questions(PROTOCOLS[self.config.protocol])[labels["node"]]

    def policy(self, label, framing, order):
        (spec,) = (named(each) for each in self.config.policies if named(each)["label"] == label)
        return in_wording(spec, framing, order)

    def measure(self, run: Run):
        choices = defaultdict(dict)
        for record in run.decisions():
            choices[record.labels["policy"], record.node][record.labels["order"]] = record.choice
        kept = defaultdict(list)
        for (policy, _), answers in choices.items():
            if None not in answers.values() and len(answers) == 2:
                kept[policy].append(answers[0] == answers[1])
        return {policy: sum(same) / len(same) for policy, same in kept.items()}

    def page(self, result):
        rows = [(policy, [f"{100 * share:.0f}"]) for policy, share in result.items()]
        table = Table.of("Same choice in both orders", "Per cent of the questions.", ["same"], rows)
        return Page(title="Order of options", lead=f"Protocol {self.config.protocol}.", tables=[table])

    def show(self, result, console):
        for policy, share in result.items():
            console.print(f"{policy}: the same choice in both orders at {100 * share:.0f} % of the questions")

    def tables(self, result):
        return {"order": [{"policy": policy, "same": share} for policy, share in result.items()]}


if __name__ == "__main__":
    run = run_study(OrderStudy(OrderConfig(policies=["homo_moralis:0.5", "random"])))
    print(report(run.path), run.path.with_suffix(".html"))
