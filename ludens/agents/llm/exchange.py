"""Put a request to a server in the form that it takes, and find out whose fault a rejection is.

A server rejects a request for its form (a parameter, a role), or for what this one prompt says. Words that
name what it would take are followed (`ludens.agents.llm.adaptation`). Where the words say nothing, the same
form is evidence enough: if the server takes it with another prompt, the rejection was of this prompt. Other
requests of the run may have shown that meanwhile; otherwise a harmless question is asked in the same form.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from ludens.agents.journal import asking
from ludens.agents.llm.adaptation import STARVED, Fit, Learnt, Request, named, too_long
from ludens.agents.llm.client import complete
from ludens.agents.llm.endpoint import Endpoint
from ludens.agents.llm.reading.text import plain
from ludens.agents.llm.reply import TURNED_DOWN, Reply

Keep = Callable[[Request, Reply, str], None]
"""Takes up a request made beside the one asked for: as it was sent, its reply, and why it was made."""

CUT = "Asked again with more room: "
IDS = "Asked again for the texts of tokens: "
TRIED = "Asked to see whether the server takes such requests: "
ASIDE = (CUT, IDS, TRIED)
"""How the details of calls begin that were made beside those asked for."""

NO_TEXT = f"{CUT}the reply reached the limit of tokens before it gave any text."
BY_IDS = f"{IDS}the server gave their ids."
_UNIQUE = re.compile(r"\b[\w-]*\d[\w-]*\b")
"""Ids of requests, times and the like, which differ between errors that say the same."""
HARMLESS = "Which letter comes first in the alphabet, A or B? Answer with the letter alone."


async def exchange(endpoint: Endpoint, learnt: Learnt, request: Request, keep: Keep) -> tuple[Request, Reply]:
    """Make a request in the form that the server takes; return it as it was sent, and the reply.

    Many requests may begin at once. Of those that are rejected, one finds out what the server takes, and the
    others wait for it.

    Args:
        endpoint: the model.
        learnt: what is known of it; more is learnt here.
        request: what to ask.
        keep: takes up every request that was paid for beside the returned one.

    Raises:
        ModelError: the model cannot be used.
    """
    while True:
        sent, reply, since = await _send(endpoint, learnt, request)
        if not (reply.rejected or _starved(reply, sent, learnt) or _wants_texts(reply, learnt)):
            return sent, reply
        async with learnt.gate():
            if learnt.fit.applied(request) == sent:
                return await _find_out(endpoint, learnt, request, (sent, reply, since), keep)
        # Meanwhile another request has found out more.
        if not reply.rejected:
            keep(sent, reply, BY_IDS if reply.ids else NO_TEXT)


async def _send(endpoint: Endpoint, learnt: Learnt, request: Request) -> tuple[Request, Reply, int]:
    """Make the request as the server is known to take it; the number is the moment of sending."""
    sent, since = learnt.fit.applied(request), learnt.tick()
    reply = await complete(endpoint, sent.messages, sent.parameters)
    if not reply.told:
        learnt.accepted[sent.shape] = learnt.tick()
        learnt.miss(request.parameters, sent.parameters, reply.left_out)
    return sent, reply, since


async def _find_out(
    endpoint: Endpoint,
    learnt: Learnt,
    request: Request,
    made: tuple[Request, Reply, int],
    keep: Keep,
) -> tuple[Request, Reply]:
    """Find out what the server takes, while other requests wait."""
    sent, reply, since = made
    room = learnt.fit.room
    standing, complaint = learnt.fit, ""  # before the first change that has not helped yet
    tried = {learnt.fit}
    while True:
        if _starved(reply, sent, learnt):
            if not reply.rejected:
                keep(sent, reply, NO_TEXT)
            learnt.raise_room()
        elif _wants_texts(reply, learnt):
            keep(sent, reply, BY_IDS)
            learnt.fit = replace(learnt.fit, token_texts=True)
        elif not reply.rejected:
            return sent, reply
        elif learnt.fit.room > room or STARVED.search(reply.told.lower()):
            # A longer reply than this server or this model gives: the reply was cut, and remains so.
            learnt.fit = replace(learnt.fit, room=room)
            learnt.roomiest = True
            return sent, replace(reply, rejected="", told="", cut=True)
        else:
            if (said := _UNIQUE.sub("", reply.told)) != complaint:
                standing, complaint = learnt.fit, said  # what was changed so far has helped
            if not learnt.adapt(reply.told, sent) or learnt.fit in tried:
                return await _judged(endpoint, learnt, (sent, reply, since), standing, keep)
            tried.add(learnt.fit)
        sent, reply, since = await _send(endpoint, learnt, request)


async def _judged(
    endpoint: Endpoint, learnt: Learnt, made: tuple[Request, Reply, int], standing: Fit, keep: Keep
) -> tuple[Request, Reply]:
    """Return a rejected request with its reply: rejected for its form, or refused for its prompt."""
    sent, reply, since = made
    turned_down = replace(reply, rejected="", refused=True, refusal=f"{TURNED_DOWN}{reply.rejected}.")
    if too_long(reply.told):
        return sent, reply
    if learnt.accepted.get(sent.shape, 0) > since:
        await _booked(endpoint, turned_down)
        return sent, turned_down
    if not named(reply.told, sent) and learnt.rejected.get(sent.shape, 0) < since:
        harmless = replace(sent, messages=_harmless(sent))
        answer = await complete(endpoint, harmless.messages, harmless.parameters)
        if not answer.told:
            learnt.accepted[sent.shape] = learnt.tick()
            keep(harmless, answer, f"{TRIED}it had rejected another one ({reply.rejected}).")
            await _booked(endpoint, turned_down)
            return sent, turned_down
    learnt.rejected[sent.shape] = learnt.tick()
    learnt.fit = standing
    return sent, reply


async def _booked(endpoint: Endpoint, turned_down: Reply) -> None:
    """Count a prompt that was turned down among the calls of the budget, as a run that goes on counts it."""
    async with asking(endpoint.model) as took:
        took(turned_down)


def _harmless(sent: Request) -> list[dict[str, str]]:
    """Return a harmless question, with a system message where the request has one."""
    system = (
        [{"role": "system", "content": "Answer briefly."}] if sent.messages[0]["role"] == "system" else []
    )
    return [*system, {"role": "user", "content": HARMLESS}]


def _starved(reply: Reply, sent: Request, learnt: Learnt) -> bool:
    """Return whether a reply ended at the limit of tokens before its first word, and may have more room."""
    if not sent.roomy or "logprobs" in sent.parameters or not learnt.has_more_room:
        return False
    return STARVED.search(reply.told.lower()) is not None or (reply.cut and not plain(reply.text or ""))


def _wants_texts(reply: Reply, learnt: Learnt) -> bool:
    return reply.ids and not learnt.fit.token_texts
