"""The requests behind one decision: replayed or made, kept, and asked again where the reply could not be
read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ludens.agents.journal import current_journal
from ludens.agents.llm.client import Endpoint, Reply, complete
from ludens.agents.llm.faults import ModelError
from ludens.agents.llm.loop import shared
from ludens.agents.llm.prompts.games import Prompt
from ludens.agents.llm.reading.verdicts import ParsedReply
from ludens.agents.policy import Call

REJECTED = "The server does not take such a request: "
QUOTED = 1000


class ModelQuery:
    """One decision's requests, in order, in `calls`.

    Args:
        endpoint: the model.
        seed: sent with the first request; each further one adds 1, so that a second question is a second
            draw.
    """

    def __init__(self, endpoint: Endpoint, seed: int | None) -> None:
        self.calls: list[Call] = []
        self._endpoint = endpoint
        self._seed = seed
        self._journal = current_journal()
        self._ahead: Call | None = None

    def upcoming(self) -> Call | None:
        """The next request, if an earlier life of the run made it."""
        if self._ahead is None and self._journal is not None:
            self._ahead = self._journal.replay()
        return self._ahead

    async def ask(
        self,
        prompt: Prompt,
        parameters: Mapping[str, Any],
        read: Callable[[Reply], ParsedReply],
        retries: int,
        may_be_rejected: bool = True,
    ) -> ParsedReply:
        """The first readable reply, or what the last one of 1 + `retries` was. Only what could not be read is
        asked again; refusals and failures of the transport are final.

        Raises:
            ModelError: the model cannot be used, or rejects the request and there is no other way to put it.
        """
        messages = [dict(message) for message in prompt.messages]
        verdict = ParsedReply("invalid")
        for _ in range(1 + retries):
            call = self._replayed(messages) or await self._made(messages, parameters, read, may_be_rejected)
            verdict = _verdict(call)
            if verdict.outcome != "invalid":
                break
            quoted = (call.reply or "").strip()[:QUOTED] or "(no text)"
            again = prompt.reread(verdict.detail)
            messages += [{"role": "assistant", "content": quoted}, {"role": "user", "content": again}]
        return verdict

    def _replayed(self, messages: list[dict[str, str]]) -> Call | None:
        call, self._ahead = self.upcoming(), None
        if call is None:
            return None
        if [dict(message) for message in call.messages] != messages:
            raise ModelError(
                f"The run was begun with another wording of this question to {call.model}, so its calls "
                "cannot be used again: continue it with the version of ludens that began it, or start anew."
            )
        self.calls.append(call)
        return call

    async def _made(
        self,
        messages: list[dict[str, str]],
        parameters: Mapping[str, Any],
        read: Callable[[Reply], ParsedReply],
        may_be_rejected: bool,
    ) -> Call:
        sent = dict(parameters)
        if self._seed is not None:
            sent["seed"] = (self._seed + len(self.calls)) % 2**31
        reply = await shared(complete(self._endpoint, messages, sent))
        if reply.rejected and not may_be_rejected:
            raise ModelError(
                f"{self._endpoint.model} rejects the request ({reply.rejected}): see its parameters."
            )
        if reply.rejected:
            verdict = ParsedReply("error", REJECTED + reply.rejected)
        else:
            verdict = ParsedReply("error", reply.error) if reply.error else read(reply)
        assert verdict.outcome != "rejected"
        call = Call(
            model=self._endpoint.model,
            messages=tuple(dict(message) for message in messages),
            reply=reply.text,
            outcome=verdict.outcome,
            detail=verdict.detail,
            parameters=sent,
            option_probabilities=verdict.masses,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            cost=reply.cost,
            seconds=reply.seconds,
            transport_retries=reply.transport_retries,
        )
        # Before anything is made of it: what was paid for is never asked again.
        if self._journal is not None:
            self._journal.record(call)
        self.calls.append(call)
        return call


def _verdict(call: Call) -> ParsedReply:
    rejected = call.outcome == "error" and call.detail.startswith(REJECTED)
    return ParsedReply(
        "rejected" if rejected else call.outcome, call.detail, call.reply, call.option_probabilities
    )
