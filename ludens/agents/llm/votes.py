"""Several replies to one question, of which the most frequent answer counts (self-consistency, Wang et al.,
ICLR 2023).

A rationale of hundreds of sampled tokens can go astray in one of them; the same slip is seldom made twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ludens.agents.llm.prompts.templates import Prompt
from ludens.agents.llm.reading.choices import read_choice
from ludens.agents.llm.reading.parsed import ParsedReply


async def most_voted(
    ask: Callable[[], Awaitable[tuple[Prompt, ParsedReply]]], votes: int, reasoning: bool
) -> tuple[Prompt, ParsedReply]:
    """Ask so many times, and return a prompt and a reply with the most frequent answer.

    The first answer counts among equally frequent ones. Unreadable replies have no vote, unless all are; a
    refusal ends the vote at once.

    Args:
        ask: puts the question once.
        votes: how often to ask, at least 1.
        reasoning: whether replies begin with thoughts.
    """
    counted: dict[int, list[tuple[Prompt, ParsedReply]]] = {}
    prompt, reply = await ask()
    asked = 1
    while True:
        if reply.outcome == "ok":
            reading = read_choice(reply.reply, prompt.labels, prompt.words, reasoning)
            if reading.place is not None:
                counted.setdefault(prompt.order[reading.place], []).append((prompt, reply))
        elif reply.outcome != "invalid":
            return prompt, reply
        if asked == votes or _settled([len(each) for each in counted.values()], votes - asked):
            break
        prompt, reply = await ask()
        asked += 1
    return max(counted.values(), key=len)[0] if counted else (prompt, reply)


def _settled(counts: list[int], left: int) -> bool:
    """Return whether so many further votes cannot change which answer leads."""
    first, second = [*sorted(counts, reverse=True), 0, 0][:2]
    return first > second + left
