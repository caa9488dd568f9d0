"""The requests behind one decision: made or replayed, recorded, and repeated where a reply cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ludens.agents.journal import current_journal
from ludens.agents.llm.adaptation import Learnt, Request, folded, too_long
from ludens.agents.llm.endpoint import Endpoint
from ludens.agents.llm.exchange import ASIDE, TRIED, exchange
from ludens.agents.llm.faults import ModelError
from ludens.agents.llm.loop import shared
from ludens.agents.llm.prompts.templates import Prompt
from ludens.agents.llm.reading.parsed import ParsedReply
from ludens.agents.llm.reply import Reply, kept_reply
from ludens.agents.policy import Call

Messages = list[dict[str, str]]
Read = Callable[[Reply], ParsedReply]
Rejection = Callable[[str], ModelError]

THOUGHTS_ALONE = "The reply held thoughts and no answer."
REJECTED = "The server does not take such a request: "
QUOTED = 1000
"""Characters of an unreadable reply that are shown to the model again."""


class RewordedError(ModelError):
    """An earlier session of the run asked the question in another wording than today's."""


class ModelQuery:
    """The requests of one decision, in order, in `calls`.

    Args:
        endpoint: the model.
        seed: sent with the first request; each further one adds 1, so that a second question is a second
            draw. None sends no seed.
        learnt: what is known of the model and its server; more is learnt while it is asked.
        roomy: whether the limit of tokens may be raised where a reply reaches it before any text.
        too_long: the error to raise for a prompt that does not fit the model's context, from the server's
            words.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        seed: int | None,
        learnt: Learnt | None = None,
        *,
        roomy: bool = False,
        too_long: Rejection = ModelError,
    ) -> None:
        self.calls: list[Call] = []
        self.learnt = learnt or Learnt()
        self._endpoint = endpoint
        self._seed = seed
        self._roomy = roomy
        self._too_long = too_long
        self._journal = current_journal()
        self._ahead: Call | None = None

    @property
    def asked(self) -> int:
        """How many requests were made, without those made beside them to find out what the server takes."""
        return sum(not call.detail.startswith(ASIDE) for call in self.calls)

    def upcoming(self) -> Call | None:
        """Return the next request if an earlier session of the run has made it."""
        if self._ahead is None and self._journal is not None:
            self._ahead = self._journal.replay()
        return self._ahead

    async def ask(
        self,
        prompt: Prompt,
        parameters: Mapping[str, Any],
        read: Read,
        retries: int,
        rejection: Rejection | None = None,
    ) -> ParsedReply:
        """Ask until a reply can be read, at most 1 + `retries` times, and return the last reply.

        Only replies that cannot be read are asked again; refusals are final. A request that got no reply is
        no call and leaves no trace, so that a resumed run makes it again.

        Args:
            prompt: the question.
            parameters: of the request.
            read: reads a reply.
            retries: how often to ask again.
            rejection: the error to raise if the server rejects such a request, from its reason; None where
                the question can be put in another form, which the outcome ``"rejected"`` calls for.

        Raises:
            NoReplyError: an outage or a rate limit outlasted the patience.
            ModelError: the model cannot be used, or rejects the request.
        """
        messages = [dict(message) for message in prompt.messages]
        parsed = ParsedReply("invalid")
        for _ in range(1 + retries):
            call = self._replayed(messages, read) or await self._made(messages, parameters, read, rejection)
            parsed = _parsed(call)
            if parsed.outcome != "invalid":
                break
            messages += answered(prompt, parsed)
        return parsed

    def remember(self) -> None:
        """Keep what was learnt of the server with the run, if more was learnt."""
        facts, server = self.learnt.facts(), self.learnt.server
        if self._journal is not None and facts != self.learnt.kept:
            self._journal.remember(server, facts)
            self.learnt.kept = facts

    def _replayed(self, messages: Messages, read: Read) -> Call | None:
        reread = None if self._journal is None else self._journal.reread
        while (call := self.upcoming()) is not None:
            self._ahead = None
            aside = call.detail.startswith(ASIDE)
            asked = [dict(message) for message in call.messages]
            # Where replies are read again, later questions quote what was read of the first one then.
            given = reread is None or not self.asked
            if not aside and given and asked not in (messages, folded(messages)):
                raise RewordedError(
                    f"The run was begun with another wording of this question to {call.model}, so its calls "
                    "cannot be used again: continue it with the version of ludens that began it, or start "
                    "anew."
                )
            if reread is not None:
                call = call if aside or call.outcome == "error" else _read_again(call, read)
                reread(call)
            self.calls.append(call)
            if not aside:
                return call
        return None

    async def _made(
        self, messages: Messages, parameters: Mapping[str, Any], read: Read, rejection: Rejection | None
    ) -> Call:
        wanted = dict(parameters)
        if self._seed is not None:
            wanted["seed"] = (self._seed + self.asked) % 2**31
        asked = (self._endpoint.model, messages, wanted, self._endpoint.options, self.asked)
        cache = None if self._journal is None else self._journal.cache
        parts = {} if cache is None else cache.parts(*asked)
        if cache is not None and (kept := cache.find(parts)) is not None:
            again = _read_again(kept, read)
            if again.outcome == "ok":
                return self._recorded(again)
        request = Request(messages, wanted, self._roomy)
        sent, reply = await shared(exchange(self._endpoint, self.learnt, request, self._keep))
        self.remember()
        if reply.rejected and too_long(reply.told):
            raise self._too_long(reply.rejected)
        if reply.rejected and rejection is not None:
            raise rejection(reply.rejected)
        parsed = (
            ParsedReply("error", REJECTED + reply.rejected)
            if reply.rejected
            else _read(reply, read, weighed="logprobs" in wanted)
        )
        call = self._record(sent, reply, parsed)
        if cache is not None and call.outcome == "ok":
            cache.keep(parts, call)
        return call

    def _keep(self, sent: Request, reply: Reply, why: str) -> None:
        """Record a request that was made beside the one asked for."""
        self._record(sent, reply, ParsedReply("ok" if why.startswith(TRIED) else "invalid", why))

    def _record(self, sent: Request, reply: Reply, parsed: ParsedReply) -> Call:
        given = {name: value for name, value in sent.parameters.items() if name not in reply.left_out}
        return self._recorded(
            Call(
                model=self._endpoint.model,
                messages=tuple(dict(message) for message in sent.messages),
                reply=reply.text,
                outcome=parsed.outcome,  # type: ignore[arg-type]  # never "rejected"
                detail=parsed.detail,
                parameters=given,
                option_probabilities=parsed.masses,
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
                cost=reply.cost,
                seconds=reply.seconds,
                transport_retries=reply.transport_retries,
                marks=reply.marks,
            )
        )

    def _recorded(self, call: Call) -> Call:
        # Recorded before it is used: a request that was paid for is never made again.
        if self._journal is not None:
            self._journal.record(call)
        self.calls.append(call)
        return call


def answered(prompt: Prompt, parsed: ParsedReply) -> Messages:
    """Return the messages that quote a reply that could not be read, and ask again with the reason."""
    quoted = (parsed.reply or "").strip()[:QUOTED] or "(no text)"
    return [
        {"role": "assistant", "content": quoted},
        {"role": "user", "content": prompt.reread(parsed.detail)},
    ]


def _read(reply: Reply, read: Read, *, weighed: bool) -> ParsedReply:
    """Read a reply; `weighed` says whether log-probabilities were asked for."""
    if reply.refusal:
        return ParsedReply("refused", reply.refusal, reply.text)
    parsed = read(reply)
    assert parsed.outcome != "rejected"
    if parsed.outcome == "invalid" and reply.thoughts and not reply.text and not weighed:
        return replace(parsed, detail=THOUGHTS_ALONE)
    return parsed


def _read_again(call: Call, read: Read) -> Call:
    """Return a call with its reply as it is read today."""
    parsed = _read(kept_reply(call), read, weighed="logprobs" in call.parameters)
    return replace(
        call,
        outcome=parsed.outcome,  # type: ignore[arg-type]  # never "rejected"
        detail=parsed.detail,
        option_probabilities=parsed.masses,
    )


def _parsed(call: Call) -> ParsedReply:
    outcome = "rejected" if call.outcome == "error" else call.outcome
    return ParsedReply(outcome, call.detail, call.reply, call.option_probabilities)
