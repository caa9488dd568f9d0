"""What is secret among the settings of models: used, never written to a file, and masked in what is shown.

A setting is secret by its name (``api_key``, ``extra_headers``), by its value (``sk-…``, ``AKIA…``), or as
the password in an address. A secret that a server sends back is masked before its words are shown or kept:
the secrets of every policy that was made, those of the environment, and whatever looks like one.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlencode

MASK = "***"
"""What stands in a text in place of a secret."""

# Names of secrets end with one of these ("api_key", "azure_ad_token", "extra_headers") …
_ENDINGS = (
    "auth",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "headers",
    "jwt",
    "key",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "signature",
    "token",
)
# … or hold one of these ("aws_access_key_id", "proxy-authorization"). "token" and "key" anywhere would be too
# much: "stop_token_ids" is a setting like any other.
_INSIDE = re.compile(
    r"(?:access|secret|api|private)_?key|secret|password|authorization|bearer|token_provider"
)
_IN_QUERIES = frozenset({"code", "pass", "pwd", "sas", "sig", "sign"})
"""Further names of secrets where they stand in the query of an address."""

_PUBLIC_HEADERS = frozenset(
    {"accept", "accept_encoding", "accept_language", "connection", "content_type", "host", "user_agent"}
)
_PLACEHOLDERS = frozenset(
    {"none", "null", "empty", "dummy", "fake", "test", "token", "false", "true", "unused", "ollama"}
    | {"anything", "lm-studio", "placeholder", "not-needed", "no-key", "nokey", "local"}
    # The names in the answers that models are asked for: with one of them masked no reply could be read.
    | {"choice", "price", "rating", "reasoning", "observations", "plans", "insights", "message"}
)
"""Words that are given where a client insists on a key and the server does not."""

_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{8,}"  # OpenAI, Anthropic, OpenRouter, DeepSeek; not sk-learn_user
    r"|(?:xai|pplx|nvapi|glpat)-[A-Za-z0-9_-]{16,}|(?:gsk|hf|r8|fw|csk|tgp_v1)_[A-Za-z0-9_-]{16,}"
    r"|AIza[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_.-]{16,}"  # Google
    r"|(?:AKIA|ASIA|ABSK)[A-Za-z0-9+/=]{12,}"  # Amazon
    r"|gh[oprsu]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"  # JSON web tokens
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r")"
    # A word may follow "bearer" in any text; a token holds a digit.
    r"|(?<=[Bb]earer )(?=[^\s]*\d)[A-Za-z0-9._~+/=-]{16,}",
    re.DOTALL,
)
_SIGNS = (
    *(
        "sk-",
        "xai-",
        "pplx-",
        "nvapi-",
        "glpat-",
        "gsk_",
        "hf_",
        "r8_",
        "fw_",
        "csk_",
        "tgp_",
        "AIza",
        "ya29.",
    ),
    *(
        "AKIA",
        "ASIA",
        "ABSK",
        "gho_",
        "ghp_",
        "ghr_",
        "ghs_",
        "ghu_",
        "github_pat_",
        "xox",
        "eyJ",
        "-----BEGIN",
    ),
    *("earer ", "asic "),
)
_BASIC = re.compile(r"(?<=[Bb]asic )[A-Za-z0-9+/]{4,}={0,2}")
_ADDRESS = re.compile(
    r"(?:^|_)(?:api_?base|base|url|uri|endpoint|host|hostname|proxy|proxie|address|domain|server|origin|gateway)"
    r"(?:es|s)?$"
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")

_in_use: set[str] = set()


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Return whether a setting of that name holds a key or another secret."""
    plain = name.lower().replace("-", "_").removesuffix("_per_token")  # a price
    return plain.endswith(_ENDINGS) or _INSIDE.search(plain) is not None


def is_address(name: str) -> bool:
    """Return whether a setting of that name holds an address."""
    return _ADDRESS.search(name.lower().replace("-", "_")) is not None


def is_placeholder(value: str) -> bool:
    """Return whether a value stands in place of a key, as clients of servers without keys need one."""
    return len(value.strip()) < 4 or value.strip().lower() in _PLACEHOLDERS


def without_secrets(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that may be kept in a file: without secrets, in nested mappings and lists too, and
    with addresses that hold no password.
    """
    kept = {}
    for name, value in settings.items():
        if is_secret(str(name)):
            continue
        named = is_address(str(name)) and isinstance(value, str) and not re.search(r"\s", value)
        public = without_secret_values(plain_address(value) if named else value)
        if public is not _SECRET:
            kept[str(name)] = public
    return kept


_SECRET = object()


def without_secret_values(value: Any) -> Any:
    """Return a value as it may be kept in a file, with secrets masked in its texts and removed from its
    mappings and lists.
    """
    if isinstance(value, Mapping):
        return without_secrets(value)
    if isinstance(value, list | tuple):
        kept = [without_secret_values(each) for each in value]
        return [each for each in kept if each is not _SECRET]
    if isinstance(value, str):
        plain = plain_address(value) if _URL.fullmatch(value) else value
        public = masked(plain)
        # Without its address a model would be asked elsewhere; that some of it is missing must show.
        return public if public == plain or _URL.fullmatch(public) else _SECRET
    return value


def plain_address(address: str) -> str:
    """Return an address without what may be secret in it: user and password, the fragment, and those values
    of the query that are named as secrets are or look like one.
    """
    scheme, mark, rest = _parts(address)
    _, at, after = _credentials(rest)
    before, _, query = (after if at else rest).partition("#")[0].partition("?")
    public = [
        (name, value)
        for name, value in parse_qsl(query, keep_blank_values=True)
        if not (is_secret(name) or name.lower() in _IN_QUERIES or _KEYS.search(value))
    ]
    return f"{scheme}{mark}{before}" + (f"?{urlencode(public, errors='surrogatepass')}" if public else "")


def _parts(address: str) -> tuple[str, str, str]:
    """Return the scheme, ``://`` and the rest; the first two are empty where there is no scheme."""
    return address.partition("://") if "://" in address else ("", "", address)


def _credentials(rest: str) -> tuple[str, str, str]:
    """Return the user and password at the beginning of an address without its scheme, the ``@`` after them,
    and what follows; all empty where there are none.
    """
    host = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    if "@" in host:
        return rest[: host.rindex("@")], "@", rest[host.rindex("@") + 1 :]
    _, colon, port = host.rpartition(":")
    # A password with "/" or "#" in it, as nobody should write it: what follows the colon is no port.
    if colon and port and not port.isdigit() and not host.startswith("[") and "@" in rest:
        return rest[: rest.rindex("@")], "@", rest[rest.rindex("@") + 1 :]
    return "", "", ""


def secrets_in(settings: Any) -> frozenset[str]:
    """Return the secrets among settings, in nested mappings and lists and in addresses too."""
    return frozenset(_secrets(settings, named=False))


def remember(settings: Mapping[str, Any]) -> None:
    """Mask the secrets among these settings from now on, wherever `masked` is applied."""
    _in_use.update(secrets_in(settings))


def remembered() -> frozenset[str]:
    """Return the secrets that are masked, without those of the environment; for other processes of a run."""
    return frozenset(_in_use)


def remember_all(secrets: Iterable[str]) -> None:
    """Mask these secrets too, which another process has remembered."""
    _in_use.update(secrets)


def masked(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text with all secrets masked: those given, those of policies and of the environment, passwords
    in addresses, and whatever looks like a key.
    """
    if not text:
        return text
    known = _pattern(frozenset((*secrets, *_in_use, *_of_environment()))) if secrets else _known_pattern()
    if known is not None:
        text = known.sub(MASK, text)
    if "://" in text:
        text = _URL.sub(lambda url: _masked_address(url[0]), text)
    # Looking for a few letters first is many times faster, and most replies hold none of them.
    return _BASIC.sub(_masked_basic, _KEYS.sub(MASK, text)) if any(map(text.__contains__, _SIGNS)) else text


def mask_error(error: BaseException) -> None:
    """Mask secrets in the messages of an error and of those that it was raised from, for tracebacks."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.args = tuple(masked(each) if isinstance(each, str) else each for each in error.args)
        if isinstance(message := getattr(error, "message", None), str):
            with suppress(AttributeError):  # a property of the arguments, as of the errors of templates
                error.message = masked(message)  # type: ignore[attr-defined]  # errors of providers' clients
        error = error.__cause__ or error.__context__  # type: ignore[assignment]  # None ends the loop


def _secrets(value: Any, *, named: bool) -> Iterator[str]:
    """Yield the secrets in a value; `named`: its name says that it is one."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            header = named and str(name).lower().replace("-", "_") in _PUBLIC_HEADERS
            yield from _secrets(each, named=(named and not header) or is_secret(str(name)))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _secrets(each, named=named)
    elif isinstance(value, str):
        if named:
            yield from _forms(value)
        for url in _URL.findall(value):
            yield from _of_address(url)


def _of_address(address: str) -> Iterator[str]:
    rest = _parts(address)[2]
    credentials = _credentials(rest)[0]
    user, colon, password = credentials.partition(":")
    for part in (password,) if colon else (user,):
        yield from _forms(unquote(part))
        yield from _forms(part)
    if colon:
        yield base64.b64encode(unquote(credentials).encode("utf-8", "surrogatepass")).decode()
    for part in rest.partition("#")[0].partition("?")[2].split("&"):
        name, _, value = part.partition("=")
        if is_secret(name) or name.lower() in _IN_QUERIES:
            for form in (value, unquote(value), unquote_plus(value)):
                yield from _forms(form)


def _forms(secret: str) -> Iterator[str]:
    """Yield the forms in which a secret may be sent back."""
    plain = secret.strip()
    kind, _, token = plain.partition(" ")
    if kind.lower() in {"bearer", "basic", "token"} and token:
        yield from _forms(token)
        if kind.lower() == "basic" and (decoded := _decoded(token)) is not None:
            yield from _forms(decoded.partition(":")[2])
        return
    if is_placeholder(plain):
        return
    yield plain
    yield json.dumps(plain)[1:-1]
    yield escape(plain)
    for safe in ("", "/"):
        yield (quoted := quote(plain, safe=safe, errors="surrogatepass"))
        yield re.sub("%..", lambda code: code[0].lower(), quoted)
    coded = plain.encode("utf-8", "surrogatepass")
    yield coded.hex()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield (encoded := encode(coded).decode())
        yield encoded.rstrip("=")
    if "\n" in plain:  # a certificate, or a file of credentials
        yield from (line.strip() for line in plain.splitlines() if len(line.strip()) >= 20)


def _decoded(token: str) -> str | None:
    """Return ``user:password`` as sent in a header; None if it is something else."""
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return text if ":" in text else None


def _known_pattern() -> re.Pattern[str] | None:
    """Return what matches every secret that is known without being given; looked for in every reply, it is
    kept while nothing of it has changed.
    """
    variables = getattr(os.environ, "_data", None)  # as the system gave them, which are fast to compare
    now = dict(os.environ) if variables is None else variables
    if not _known or _known[0] != (now, _in_use):
        _known[:] = (dict(now), set(_in_use)), _pattern(frozenset((*_in_use, *_of_environment())))
    pattern: re.Pattern[str] | None = _known[1]
    return pattern


_known: list[Any] = []


def _of_environment() -> frozenset[str]:
    # Short words may be anything: a variable that ends in KEY need not hold a key.
    return _all_forms(
        frozenset(
            value
            for name, value in os.environ.items()
            if is_secret(name) and (len(value) >= 16 or (len(value) >= 8 and not value.isalpha()))
        )
    )


@lru_cache(maxsize=8)
def _all_forms(secrets: frozenset[str]) -> frozenset[str]:
    return frozenset(form for each in secrets for form in _forms(each))


@lru_cache(maxsize=8)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    # The longest first: one secret may begin with another one. A mere word is masked as a whole word alone.
    def is_word(text: str) -> bool:
        return text.isalnum() and len(text) < 16

    ordered = sorted(secrets, key=lambda each: (-len(each), each))
    parts = [rf"\b{re.escape(each)}\b" if is_word(each) else re.escape(each) for each in ordered if each]
    return re.compile("|".join(parts)) if parts else None


def _masked_address(url: str) -> str:
    scheme, mark, rest = _parts(url)
    _, at, after = _credentials(rest)
    before, question, query = (f"{MASK}@{after}" if at else rest).partition("?")
    if not question:
        return f"{scheme}{mark}{before}"
    parts = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        secret = is_secret(name) or name.lower() in _IN_QUERIES
        parts.append(f"{name}={MASK}" if equals and value and secret else part)
    return f"{scheme}{mark}{before}?{'&'.join(parts)}"


def _masked_basic(token: re.Match[str]) -> str:
    return token[0] if _decoded(token[0]) is None else MASK
