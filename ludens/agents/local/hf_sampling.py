"""One batch of chats through Transformers, each row with its own seed, temperature, stops and length.

A token is drawn by adding Gumbel noise to the row's scaled logits and taking the largest, which draws from
the softmax (the Gumbel-max trick). So `generate` runs greedily, and a row's draws depend on its own seed
alone, not on the other rows of its batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ludens.agents.local.engine import ChatParams, Choice, Token
from ludens.agents.local.held import Held

if TYPE_CHECKING:
    import torch


ENOUGH = 0.75
"""Finished rows leave the batch when fewer than this share of its rows are unfinished.

Finished rows cost as much as unfinished ones, but removing them copies the cache. The value is ours.
"""


@dataclass
class Row:
    """One choice of one request.

    Attributes:
        tokens: the prompt.
        params: parameters of the request.
        index: number of this choice among the request's.
        made: tokens generated so far.
        logprobs: for each of them its log-probability, and the most probable tokens with theirs.
        ended: why the reply ended; empty while it continues.
        text: the reply, without the text that stopped it.
    """

    tokens: list[int]
    params: ChatParams
    index: int
    made: list[int] = field(default_factory=list)
    logprobs: list[tuple[float, list[tuple[int, float]]]] = field(default_factory=list)
    ended: Literal["", "stop", "length"] = ""
    text: str = ""


def generate(model: Any, tokenizer: Any, rows: Sequence[Row]) -> list[tuple[Choice, int]]:
    """Reply to each row's prompt.

    Returns:
        For each row, its choice and the number of tokens generated.
    """
    import torch
    from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

    longest = max(len(row.tokens) for row in rows)
    pad = tokenizer.pad_token_id
    ids = torch.tensor(
        [[pad] * (longest - len(row.tokens)) + row.tokens for row in rows], device=model.device
    )
    mask = torch.tensor(
        [[0] * (longest - len(r.tokens)) + [1] * len(r.tokens) for r in rows], device=model.device
    )
    ends = end_tokens(model, tokenizer)
    held = Held(tokenizer, ends) if any(row.params.ending for row in rows) else None
    room = getattr(model.config, "max_position_embeddings", None) or 2048
    going = [
        _Going(row, row.params.max_tokens or room - len(row.tokens), _noise(row.params, row.index))
        for row in rows
    ]
    given: dict[str, Any] = {}
    with torch.inference_mode():
        while going:
            output = model.generate(
                ids,
                attention_mask=mask,
                **given,
                # The model's own generation_config may contain penalties and truncations not requested here.
                generation_config=GenerationConfig(
                    do_sample=False,
                    max_new_tokens=max(each.limit - len(each.row.made) for each in going),
                    eos_token_id=ends,
                    pad_token_id=pad,
                    return_dict_in_generate=True,
                ),
                logits_processor=LogitsProcessorList([_Sampling(going, held)]),
                stopping_criteria=StoppingCriteriaList([_Stopping(going, tokenizer, ends)]),
            )
            left = [place for place, each in enumerate(going) if not each.row.ended]
            going = [going[place] for place in left]
            if going:
                kept = torch.tensor(left, device=model.device)
                more = output.sequences.shape[1] - ids.shape[1]
                ids, given = output.sequences[kept], _cache_of(output, kept)
                mask = torch.cat([mask[kept], mask.new_ones(len(left), more)], dim=1)
    return [_choice(row, tokenizer, ends) for row in rows]


def _cache_of(output: Any, rows: torch.Tensor) -> dict[str, Any]:
    """Return the cache of these rows as arguments of `generate`.

    It is empty if a layer stores more than keys and values, because such a cache cannot drop rows; the model
    then reads the sequences again.
    """
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    for name in ("cache", "past_key_values"):  # the newer name and the older one
        if name in output.keys():  # noqa: SIM118 - `in output` warns of the older name
            layers = getattr(output[name], "layers", [None])
            if all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers):
                output[name].batch_select_indices(rows)
                return {name: output[name]}
    return {}


class _Going(NamedTuple):
    """An unfinished row, the greatest number of tokens it may generate, and its random generator."""

    row: Row
    limit: int
    noise: torch.Generator


def _noise(params: ChatParams, index: int) -> torch.Generator:
    import torch

    noise = torch.Generator()
    if params.seed is None:
        noise.seed()
    else:
        noise.manual_seed((params.seed + index) % 2**63)
    return noise


class _Sampling:
    """Logits processor whose highest score is the drawn token; it records the rows' log-probabilities."""

    def __init__(self, going: Sequence[_Going], held: Held | None) -> None:
        self._going, self._held = going, held

    def __call__(self, _: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        logits = logits.float()
        scores = logits.clone()
        for i, (row, _limit, noise) in enumerate(self._going):
            if row.ended:
                continue
            if self._held is not None and row.params.ending is not None:
                logits[i] = scores[i] = self._held.scores(logits[i], row.made, row.params.ending)
            if row.params.temperature > 0:
                scores[i] = _drawn(logits[i] / row.params.temperature, row.params, noise)
            if row.params.logprobs:
                logprobs = logits[i].log_softmax(-1)
                values, tokens = logprobs.topk(min(row.params.top_logprobs, len(logprobs)))
                own = float(logprobs[scores[i].argmax()])
                row.logprobs.append((own, list(zip(tokens.tolist(), values.tolist(), strict=True))))
        return scores


def _drawn(scores: torch.Tensor, params: ChatParams, noise: torch.Generator) -> torch.Tensor:
    import torch

    if params.top_k:
        scores = scores.masked_fill(
            scores < scores.topk(min(params.top_k, len(scores))).values[-1], -torch.inf
        )
    if params.min_p:
        scores = scores.masked_fill(scores < scores.max() + torch.tensor(params.min_p).log(), -torch.inf)
    if params.top_p < 1:
        ordered, tokens = scores.softmax(-1).sort(descending=True)
        # Drop a token if those before it already have the mass; the first always stays.
        beyond = (ordered.cumsum(-1) - ordered) >= params.top_p
        beyond[0] = False
        scores = scores.index_fill(0, tokens[beyond], -torch.inf)
    # Drawn on the CPU, so that a seed gives the same draws on every device.
    gumbel = -torch.empty(scores.shape).exponential_(generator=noise).log()
    return scores + gumbel.to(scores.device)


class _Stopping:
    """Stopping criterion: each row ends at its own length, its stop texts, or the model's end of text.

    It also interrupts the whole batch when so few rows are unfinished that a smaller batch pays.
    """

    def __init__(self, going: Sequence[_Going], tokenizer: Any, ends: Sequence[int]) -> None:
        self._going, self._tokenizer, self._ends = going, tokenizer, ends

    def __call__(self, ids: torch.Tensor, scores: Any, **more: Any) -> torch.Tensor:
        import torch

        last = ids[:, -1].tolist()
        for (row, limit, _), token in zip(self._going, last, strict=True):
            if row.ended:
                continue
            row.made.append(token)
            if token in self._ends:
                row.ended = "stop"
                row.text = self._decode(row.made[:-1])
                continue
            if row.params.stop or len(row.made) >= limit:
                row.text = self._decode(row.made)
            cut = [at for at in (row.text.find(stop) for stop in row.params.stop) if at >= 0]
            if cut:
                row.ended, row.text = "stop", row.text[: min(cut)]
            elif len(row.made) >= limit:
                row.ended = "length"
        ended = [bool(each.row.ended) for each in self._going]
        few = len(ended) - sum(ended) < ENOUGH * len(ended)
        return torch.tensor([few or end for end in ended], device=ids.device)

    def _decode(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))


def end_tokens(model: Any, tokenizer: Any) -> list[int]:
    """Return every token that ends a reply according to the tokenizer or the model's configuration."""
    own = model.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])}
    return sorted(token for token in ends if token is not None)


def _choice(row: Row, tokenizer: Any, ends: Sequence[int]) -> tuple[Choice, int]:
    def text(token: int) -> str:
        return "" if token in ends else str(tokenizer.decode([token]))

    tokens = tuple(
        Token(text(token), own, tuple((text(other), value) for other, value in top))
        for token, (own, top) in zip(row.made, row.logprobs, strict=False)
    )
    choice = Choice(row.text, row.ended or "length", tokens if row.params.logprobs else None)
    return choice, len(row.made)
