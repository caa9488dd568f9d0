"""Building a data set of 20,000 examples, compared with a plain loop over single turns.

    python benchmarks/align_data.py

Both label turns of games with payoffs from 1 to 99 by the oracle, and write prompts and completions with a
rationale in steps. The loop calls `optimal_options` and `render` for each of the first 400 turns of the same
data and shares nothing between turns. Their texts must agree.
The limit is 5,000 examples per second; times are CPU seconds of one core. Dilemmas, markets and the mixture
of all domains are timed too.
"""

from __future__ import annotations

import time

from ludens.agents.llm.prompts.games import render
from ludens.envs import FAMILIES, questions
from ludens.preferences import HOMO_ECONOMICUS, Preferences, homo_moralis, optimal_options, uniform_belief
from ludens.training import Example, build_dataset
from ludens.training.data.completions import completion
from ludens.training.data.prompts import PromptRenderer
from ludens.training.data.rationale import terms_of

EXAMPLES = 20_000
LOOPED = 400
LIMIT = 5000


def built(preferences: Preferences, examples: int) -> tuple[Example, ...]:
    """Return the data set's training examples."""
    return build_dataset(preferences, examples=examples, validation=0, test=0, payoffs=(1, 99)).train


def rate_of(preferences: Preferences, domains: tuple[str, ...]) -> float:
    """Return the examples per CPU second of a data set of domains, as tables and in sentences."""
    more = {"framings": ("neutral", "varied", "table"), "surfaces": 100, "validation": 0, "test": 0}
    build_dataset(preferences, examples=100, domains=domains, **more)
    start = time.process_time()
    made = build_dataset(preferences, examples=EXAMPLES // 4, domains=domains, **more)
    return len(made.train) / (time.process_time() - start)


def looped(preferences: Preferences, wanted: tuple[Example, ...]) -> list[tuple[str, str]]:
    """Return prompt and completion of each turn, computed anew each time."""
    made = []
    for example in wanted:
        game = FAMILIES[example.family].game(payoffs=example.payoffs)
        belief = uniform_belief(game)
        (option,) = optimal_options(game, preferences, belief)[example.node]
        prompt = render(questions(game)[example.node], example.framing, example.order, reasoning=True)
        names = [game.information_set(example.node).options[place] for place in prompt.order]
        rendered = PromptRenderer().render(game, example.node, example.framing, example.order, reasoning=True)
        text = completion(
            game,
            example.node,
            rendered,
            prompt.labels[names.index(option)],
            terms=terms_of(game, preferences, belief),
            reasoning="steps",
        )
        made.append((prompt.messages[1]["content"], text))
    return made


def main() -> None:
    """Measure both for two preferences and print the ratios."""
    for preferences in (HOMO_ECONOMICUS, homo_moralis(0.5)):
        built(preferences, 100)  # templates, imports
        start = time.process_time()
        examples = built(preferences, EXAMPLES)
        rate = len(examples) / (time.process_time() - start)
        few = examples[:LOOPED]
        start = time.process_time()
        slow = looped(preferences, few)
        plain = len(few) / (time.process_time() - start)
        assert slow == [(example.prompt[1]["content"], example.completion) for example in few]
        print(
            f"{preferences.name}: {rate:,.0f} examples/s, {rate / LIMIT:.2f} of the limit; "
            f"plain loop {plain:,.0f}/s, ratio {rate / plain:.1f}"
        )
        for domains in (("av",), ("pricing",), ("games", "av", "pricing")):
            found = rate_of(preferences, domains)
            print(f"  {', '.join(domains)}: {found:,.0f} examples/s, {found / LIMIT:.2f} of the limit")


if __name__ == "__main__":
    main()
