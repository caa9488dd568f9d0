"""Estimates of the cost of tuning at a provider.

LiteLLM's price list has the prices of using models, not of training them; the table below comes from the
providers' price pages. None of it was checked against a bill (`verified` is False throughout).
"""

from __future__ import annotations

from dataclasses import dataclass

OPENAI = "https://platform.openai.com/docs/pricing"
VERTEX = "https://cloud.google.com/vertex-ai/generative-ai/pricing"


@dataclass(frozen=True)
class TrainingPrice:
    """US dollars per million training tokens (each epoch counts), with the source page and its year."""

    dollars: float
    source: str
    date: str = "2025"
    verified: bool = False


PRICES = {
    ("openai", "gpt-4.1-nano"): TrainingPrice(1.5, OPENAI),
    ("openai", "gpt-4.1-mini"): TrainingPrice(5.0, OPENAI),
    ("openai", "gpt-4.1"): TrainingPrice(25.0, OPENAI),
    ("openai", "gpt-4o-mini"): TrainingPrice(3.0, OPENAI),
    ("openai", "gpt-4o"): TrainingPrice(25.0, OPENAI),
    ("openai", "gpt-3.5-turbo"): TrainingPrice(8.0, OPENAI),
    ("vertex_ai", "gemini-2.0-flash-lite"): TrainingPrice(1.0, VERTEX),
    ("vertex_ai", "gemini-2.0-flash"): TrainingPrice(3.0, VERTEX),
    ("vertex_ai", "gemini-2.5-flash"): TrainingPrice(5.0, VERTEX),
    ("vertex_ai", "gemini-2.5-pro"): TrainingPrice(25.0, VERTEX),
}
"""Prices by provider and model family. Azure's differ by region and contract, so none is given."""

RELEASE = r"(-\d{4}-\d{2}-\d{2}|-\d{3,4})?"
"""Pattern of what may follow a family's name: the date or number of a release."""


@dataclass(frozen=True)
class Estimate:
    """The estimate of a tuning job.

    Attributes:
        model: the model, with its provider.
        examples: number of training examples.
        tokens: tokens in one epoch of training (validation is not billed), counted by LiteLLM's tokenizer for
            the model, which only approximates Google's.
        epochs: passes over the examples.
        epochs_assumed: whether the provider will choose the epochs, so that `epochs` is a guess.
        price: the price of training tokens; None if unknown.
    """

    model: str
    examples: int
    tokens: int
    epochs: int
    epochs_assumed: bool
    price: TrainingPrice | None

    @property
    def cost(self) -> float | None:
        """The cost in US dollars; None if the price is unknown."""
        if self.price is None:
            return None
        return self.tokens * self.epochs * self.price.dollars / 1e6

    @property
    def dollars(self) -> str:
        """The cost in words, with as many digits as small prices need."""
        if self.cost is None:
            return "an unknown price"
        return f"${self.cost:,.2f}" if self.cost >= 1 or self.cost == 0 else f"${self.cost:.4f}"

    def sentence(self) -> str:
        """Return the estimate in words."""
        epochs = f"{self.epochs} {'epoch' if self.epochs == 1 else 'epochs'}"
        work = (
            f"{self.examples:,} examples of {self.tokens:,} tokens in all, "
            f"{epochs}{' (assumed)' if self.epochs_assumed else ''}"
        )
        if self.price is None:
            return f"{self.model}: {work}; the price of training is not known here: see the provider's page."
        return (
            f"{self.model}: {work}, at ${self.price.dollars:g} for a million tokens about {self.dollars} "
            f"(price of {self.price.date}, not verified: {self.price.source})."
        )


def training_price(provider: str, base: str) -> TrainingPrice | None:
    """Return the price of training a model, or None if it is unknown."""
    import re

    # A model tuned before is tuned further at its base's price: ft:BASE:organisation:suffix:id.
    name = base.split(":")[1] if base.startswith("ft:") and base.count(":") else base
    for (owner, family), price in PRICES.items():
        if owner == provider and re.fullmatch(re.escape(family) + RELEASE, name):
            return price
    return None


def estimate(provider: str, base: str, tokens: list[int], epochs: int | None) -> Estimate:
    """Estimate a tuning on examples with these numbers of tokens; with `epochs` None the provider chooses."""
    return Estimate(
        f"{provider}/{base}",
        len(tokens),
        sum(tokens),
        usual_epochs(len(tokens)) if epochs is None else epochs,
        epochs is None,
        training_price(provider, base),
    )


def usual_epochs(examples: int) -> int:
    """Guess the epochs that a provider chooses: 3, more below about 33 examples, fewer above about 8,300.

    After the rule in OpenAI's cookbook: 100 to 25,000 examples over all epochs, 1 to 25 epochs.
    """
    if examples * 3 < 100:
        return min(25, -(-100 // max(examples, 1)))
    if examples * 3 > 25_000:
        return max(1, 25_000 // examples)
    return 3
