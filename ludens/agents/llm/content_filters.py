"""Recognise the refusal of one prompt by a provider's content filter, from the words of the error.

Providers send it as an error of the request (status 400, 403, 422 or 451), often without any code of its own:

| who | what the error says |
|---|---|
| Azure | code ``content_filter``, ``ResponsibleAIPolicyViolation``, "content management policy" |
| OpenAI | ``content_policy_violation``, "flagged as potentially violating our usage policy" |
| Anthropic | "Output blocked by content filtering policy" |
| DeepSeek | "Content Exists Risk" |
| Qwen | ``data_inspection_failed``, ``DataInspectionFailed``, "may contain inappropriate content" |
| Zhipu | code 1301, ``contentFilter`` |
| Moonshot | type ``content_filter``, "considered high risk" |
| Volcengine | ``SensitiveContentDetected`` and its like |
| MiniMax | ``new_sensitive`` |
| StepFun | status 451, ``censorship_blocked`` |
| xAI | status 403, "Content violates usage guidelines", ``SAFETY_CHECK_TYPE_…`` |
| OpenRouter | status 403, "requires moderation", "Your input was flagged" |
| Gemini, Vertex | ``PROHIBITED_CONTENT``, ``blockReason`` |
| Bedrock and gateways | "blocked by guardrail", "Guardrail intervened" |
"""

from __future__ import annotations

import re

STATUSES = frozenset({400, 403, 422, 451})

_FILTER = re.compile(
    r"content[ _-]?filter|content_policy|responsibleaipolicy|content management policy|content exists risk"
    r"|data_?inspection_?failed|inappropriate content|content moderation|moderation_blocked"
    r"|requires moderation|(?:prompt|input|content|request)s? (?:was|were|is|are|has been|have been) flagged"
    r"|violat\w+ (?:of )?(?:our |the )?(?:usage|content|safety) (?:polic|guideline)|safety system"
    r"|safety_check_type|considered high risk|sensitive_?(?:content|word|information)|new_sensitive"
    r"|censorship|content_risk|prohibited_content|block_?reason"
    r"|guardrail\w* (?:has |have )?(?:intervened|blocked)"
    r"|(?:blocked|rejected|violat\w+)(?: \w+){0,3} guardrail"
    r"|(?:harmful|unsafe|illegal|sensitive) (?:content|information)"
    r"|[\"']?code[\"']?: ?[\"']?1301\b|敏感|不安全|违规|风险"
)


def filtered(status: int | None, words: str) -> bool:
    """Return whether an error is a content filter's refusal of this one prompt.

    Args:
        status: of the HTTP response; None if it is not known.
        words: all that the error says.
    """
    return status == 451 or (status in STATUSES and _FILTER.search(words.lower()) is not None)
