"""The providers' rules for training files, and their check before anything is sent.

The numbers come from the providers' pages below, as of 2025; they change, so none is marked as verified. A
file that breaks a rule is refused here, with the example that breaks it; the provider's own check is still
final.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ludens.errors import UsageError
from ludens.training.provider.conversations import Conversation

ROLES = ("system", "developer", "user", "assistant")


@dataclass(frozen=True)
class Rules:
    """One provider's rules.

    Attributes:
        least: smallest number of examples in a training file.
        most: largest number of examples in a training file; None for no limit.
        validation_most: largest number of examples in a validation file; None for no limit.
        file_bytes: largest size of a file.
        example_tokens: largest number of tokens in an example; the provider cuts or refuses longer ones.
        suffix: largest number of characters in the tuned model's suffix.
        mark: whether the file must begin with a byte-order mark.
        contents: whether the file is in Google's format (``contents``), not in OpenAI's (``messages``).
        source: the page with these rules.
        date: the date of the page.
        verified: whether it was checked against the provider itself.
    """

    least: int
    most: int | None
    validation_most: int | None
    file_bytes: int
    example_tokens: int
    suffix: int
    mark: bool
    contents: bool
    source: str
    date: str
    verified: bool = False


RULES = {
    "openai": Rules(
        least=10,
        most=None,
        validation_most=None,
        file_bytes=512 * 1024**2,
        example_tokens=65_536,
        suffix=64,
        mark=False,
        contents=False,
        source="https://platform.openai.com/docs/guides/supervised-fine-tuning",
        date="2025",
    ),
    "azure": Rules(
        least=10,
        most=None,
        validation_most=None,
        file_bytes=512 * 1024**2,
        example_tokens=65_536,
        suffix=18,
        mark=True,
        contents=False,
        source="https://learn.microsoft.com/azure/ai-services/openai/how-to/fine-tuning",
        date="2025",
    ),
    "vertex_ai": Rules(
        least=1,
        most=10_000_000,
        validation_most=5_000,
        file_bytes=1024**3,
        example_tokens=131_072,
        suffix=128,
        mark=False,
        contents=True,
        source="https://cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning",
        date="2025",
    ),
}
"""The rules by LiteLLM's name of the provider."""

SHORTER = {"gpt-3.5-turbo": 16_385, "gpt-35-turbo": 16_385}
"""Models, by the beginning of their names, whose examples must be shorter than the provider's rule says."""


def example_limit(provider: str, base: str) -> int:
    """Return the largest number of tokens in an example."""
    shorter = [limit for name, limit in SHORTER.items() if base.startswith(name)]
    return min([RULES[provider].example_tokens, *shorter])


def check_suffix(provider: str, suffix: str) -> None:
    """Check that the provider accepts a suffix.

    Raises:
        UsageError: the provider does not accept it.
    """
    most = RULES[provider].suffix
    if not suffix or len(suffix) > most or not suffix.isascii() or not suffix.isprintable():
        raise UsageError(f"The suffix must have 1 to {most} ASCII characters at {provider}; got {suffix!r}.")


def check_file(
    provider: str,
    base: str,
    split: str,
    conversations: Sequence[Conversation],
    *,
    size: int,
    tokens: Callable[[Conversation], int],
) -> list[int]:
    """Check that a file keeps the provider's rules, and count its tokens.

    Args:
        provider: a key of `RULES`.
        base: the model, without the provider.
        split: ``train`` or ``validation``.
        conversations: the examples.
        size: bytes of the file as it will be sent.
        tokens: a function that counts the tokens of one example.

    Returns:
        The tokens of each example.

    Raises:
        UsageError: a rule is broken; the message names the first example that breaks one.
    """
    rules, where = RULES[provider], f"The {split} file cannot be used at {provider}"
    broken = [(number, why) for number, one in enumerate(conversations, 1) if (why := _broken(one, rules))]
    if broken:
        number, why = broken[0]
        more = f" (and {len(broken) - 1} more are at fault)" if len(broken) > 1 else ""
        raise UsageError(f"{where}: example {number} {why}{more}; correct it and start again.")
    least = rules.least if split == "train" else 1
    most = rules.most if split == "train" else rules.validation_most
    if len(conversations) < least:
        raise UsageError(
            f"{where}: it holds {len(conversations)} examples and at least {least} are asked for; add more."
        )
    if most is not None and len(conversations) > most:
        raise UsageError(
            f"{where}: it holds {len(conversations):,} examples and at most {most:,} are taken; "
            "leave some out."
        )
    if size > rules.file_bytes:
        raise UsageError(
            f"{where}: it has {size:,} bytes and at most {rules.file_bytes:,} are taken; leave examples out."
        )
    counts, limit = [tokens(one) for one in conversations], example_limit(provider, base)
    for number, count in enumerate(counts, 1):
        if count > limit:
            raise UsageError(
                f"{where}: example {number} has about {count:,} tokens and {base} takes {limit:,}; "
                "shorten it."
            )
    return counts


def _broken(conversation: Conversation, rules: Rules) -> str:
    if not conversation:
        return "has no messages"
    for message in conversation:
        if set(message) - {"role", "content", "name", "weight"}:
            return f"has a message with unknown fields ({', '.join(sorted(message))})"
        role, content = message.get("role"), message.get("content")
        if role not in ROLES:
            return f"has the role {role!r}, which is none of {', '.join(ROLES)}"
        if not isinstance(content, str) or not content.strip():
            return f"has a message of the {role} without text"
        if not content.isprintable() and any("\ud800" <= c <= "\udfff" for c in content):
            return f"has a message of the {role} with half a character (a lone surrogate)"
    roles = [message["role"] for message in conversation]
    if roles[-1] != "assistant":
        return "does not end with a message of the assistant, which is what is learned"
    if "user" not in roles:
        return "has no message of the user"
    if rules.contents:
        said = [role for role in roles if role not in ("system", "developer")]
        if any(role in ("system", "developer") for role in roles[1:]):
            return "has a system message after the beginning"
        if said != ["user", "assistant"] * (len(said) // 2):
            return "does not alternate between the user and the assistant, beginning with the user"
    return ""
