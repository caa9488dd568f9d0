"""The embedded language model plays the trust game with a reciprocator; its prompt and its answer in full.

Give another model's name as the argument: ``python examples/language_model.py openai/gpt-5-mini``.
"""

from __future__ import annotations

import sys

from ludens.agents import LLMPolicy, Reciprocator
from ludens.experiments import play

model = sys.argv[1] if len(sys.argv) > 1 else "local/smollm2-135m"
run = play(
    ("trust-v0", {"protocol": "TG5", "roles": "fixed"}),
    [LLMPolicy(model), Reciprocator()],
    episodes=2,
    seed=0,
)

for record in run.decisions():
    decision = record.decision
    print(f"Episode {record.episode}, {record.policy} as {record.role} at {record.node!r}: {record.choice}")
    for call in decision.calls:
        print("  ---", *(message["content"] for message in call.messages), "  ---", call.reply, sep="\n  ")
    print("  probabilities:", decision.probabilities)
