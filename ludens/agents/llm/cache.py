"""Replies that several runs share, so that none pays for what another one was told.

A reply is kept under everything that decided it: the whole request (model, with the contents of its files on
this machine, address, messages, parameters, headers, other options), which replicate of which episode it was
asked for, and the seed of the run. No two requests of one run have all of that in common, so that no reply
serves twice within a run, where it would stand for two draws. Only replies that answered the question are
kept: no refusal, no error, nothing unreadable.

The cache is one SQLite file in a folder of the user's own, written by any number of processes at a time.
Neither keys nor passwords are in it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ludens.agents.local.resolve import PREFIX, fingerprint, resolve
from ludens.agents.policy import Call
from ludens.agents.secrets import is_secret, plain_address, without_secrets
from ludens.errors import LudensError

CACHED = "cached"
"""The mark of a call whose reply came from a cache."""

_OF_KEYS = frozenset({"authorization", "proxy-authorization", "cookie"})
_FILE = "replies.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, question TEXT NOT NULL, parts TEXT NOT NULL, call TEXT NOT NULL, run TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS questions ON replies (question);
CREATE INDEX IF NOT EXISTS runs ON replies (run);
"""


class CacheError(LudensError):
    """The cache cannot be used: the message says why and what to do."""


@dataclass(frozen=True)
class CachePlace:
    """A cache, and the decision for which it is asked.

    Attributes:
        folder: where it lies.
        run: what tells the run apart from others.
        place: what tells the decision apart within the run: the run's seed, the episode's labels, its number
            among those of the same labels, and the step; JSON values.
    """

    folder: str
    run: str
    place: Mapping[str, Any]

    def parts(
        self,
        model: str,
        messages: Sequence[Mapping[str, str]],
        parameters: Mapping[str, Any],
        options: Mapping[str, Any],
        number: int,
    ) -> dict[str, Any]:
        """Return everything that decides a reply, as JSON values without secrets."""
        more = dict(options)
        address = str(more.pop("api_base", None) or "")
        return {
            "model": model,
            **_told_apart(model, more.get("extra_headers")),
            "address": plain_address(address) if address else "",
            "messages": [dict(message) for message in messages],
            "parameters": dict(parameters),
            "options": without_secrets(more),
            "call": number,
            **self.place,
        }

    def find(self, parts: Mapping[str, Any]) -> Call | None:
        """Return the call that another run made of this very request, at no cost; None if there is none
        that this version can read.

        Raises:
            CacheError: the cache cannot be read.
        """
        with _opened(self.folder) as database:
            row = database.execute("SELECT call FROM replies WHERE key = ?", (_key(parts),)).fetchone()
        if row is None:
            return None
        try:
            kept = json.loads(row[0])
            shares = kept.pop("option_probabilities")
            call = Call(**kept | {"messages": tuple(kept["messages"]), "marks": tuple(kept["marks"])})
        except (ValueError, KeyError, TypeError, AttributeError):  # another version kept it, or it is damaged
            return None
        free = {"prompt_tokens": 0, "completion_tokens": 0, "cost": 0.0, "seconds": 0.0}
        return replace(
            call,
            option_probabilities=None if shares is None else tuple(shares),
            transport_retries=0,
            marks=(*call.marks, CACHED),
            **free,  # type: ignore[arg-type]  # each by its name
        )

    def keep(self, parts: Mapping[str, Any], call: Call) -> None:
        """Keep a call that answered its question.

        Raises:
            CacheError: the cache cannot be written.
        """
        row = (_key(parts), _question(parts), _json(parts), _json(asdict(call)), self.run)
        with _opened(self.folder) as database:
            # One that is there already could not be read, or another run has paid for it meanwhile.
            database.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?, ?)", row)


def explain(folder: Path, run: str) -> Counter[str]:
    """Return why the replies that a run paid for, and then kept in the cache, had not been there before: what
    differs from the closest request of another run, and how often.

    Raises:
        CacheError: there is no cache, or it cannot be read.
    """
    if not (folder / _FILE).exists():
        raise CacheError(f"There is no cache in {folder}: name the folder that --cache named.")
    reasons: Counter[str] = Counter()
    with _opened(str(folder)) as database:
        for question, parts in database.execute(
            "SELECT question, parts FROM replies WHERE run = ?", (run,)
        ).fetchall():
            others = database.execute(
                "SELECT parts FROM replies WHERE question = ? AND run <> ?", (question, run)
            )
            mine = _flat(json.loads(parts))
            differing = [_differences(mine, _flat(json.loads(other))) for (other,) in others]
            closest = min(differing, key=len, default=None)
            reasons["no other run asked this question" if closest is None else _because(closest)] += 1
    return reasons


def _because(differing: Mapping[str, tuple[Any, Any]]) -> str:
    names = [f"{name} ({theirs!r} there)" for name, (_, theirs) in sorted(differing.items())[:3]]
    more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
    return f"another {', '.join(names)}{more}"


def _differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {
        name: (mine.get(name), theirs.get(name))
        for name in {*mine, *theirs}
        if mine.get(name) != theirs.get(name)
    }


def _flat(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts with those of parameters, options and labels under names of their own."""
    flat: dict[str, Any] = {}
    for name, value in parts.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": each for inner, each in value.items()}
        else:
            flat[name] = value
    return flat


def _told_apart(model: str, headers: Any) -> dict[str, Any]:
    """Return what decides a reply and is not kept itself, as digests: the files of a model on this machine,
    and headers, by which a gateway may choose who answers. Headers that hold keys decide nothing.
    """
    found = {}
    if model.startswith(PREFIX) and (digest := fingerprint(resolve(model))):
        found["files"] = digest
    said = headers if isinstance(headers, Mapping) else {}
    if open_ones := {
        str(name).lower(): str(value)
        for name, value in said.items()
        if str(name).lower() not in _OF_KEYS and not is_secret(str(name))
    }:
        found["headers"] = hashlib.sha256(_json(open_ones).encode()).hexdigest()[:16]
    return found


def _question(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(_json(parts["messages"]).encode()).hexdigest()


def _key(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(_json(parts).encode()).hexdigest()


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


@contextmanager
def _opened(folder: str) -> Iterator[sqlite3.Connection]:
    file = Path(folder) / _FILE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as database:
            with suppress(sqlite3.OperationalError):  # another process is about to do the same
                database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.executescript(_SCHEMA)
            yield database
    except (OSError, sqlite3.Error) as error:
        raise CacheError(
            f"The cache in {folder} cannot be used ({str(error).lower()}): name another folder, or leave out "
            "the cache."
        ) from None
