"""Studies as TOML files: read one, write one; nothing is lost on the way there and back.

A file holds one table, named by the study's kind::

    [pricing]
    firms = ["openai/gpt-5-mini", "homo_economicus"]
    periods = 50

A study that no installed package names stands under the key ``study`` before it, as ``study =
"module:object"``.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from ludens.checks import check_texts
from ludens.errors import UsageError
from ludens.experiments.study.registry import STUDIES, AnyStudy, find_study, reference_of


def read_study(path: str | os.PathLike[str]) -> AnyStudy:
    """Return the study that a file describes.

    Raises:
        UsageError: there is no such file, it is no TOML, or a key is wrong; the message names the key.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UsageError(
            f"{path} cannot be read ({why}): name a study file, as `--print-config` writes it."
        ) from None
    try:
        return parse_study(text)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def parse_study(text: str) -> AnyStudy:
    """Return the study that a text in TOML describes.

    Raises:
        UsageError: it is no TOML, or a key is wrong; the message names the key.
    """
    try:
        content: dict[str, Any] = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, and nesting without end
        raise UsageError(f"this is no TOML ({error}).") from None
    reference = content.pop("study", None)
    if reference is not None and not isinstance(reference, str):
        raise UsageError(f"study: this should be a text, module:object; got {reference!r}.")
    if len(content) != 1 or not isinstance(next(iter(content.values())), dict):
        found = ", ".join(content) or "nothing"
        raise UsageError(
            f"a study file holds one table, named by its study ({', '.join(STUDIES)}); it holds {found}."
        )
    ((kind, values),) = content.items()
    if "address" in values:
        raise UsageError(
            f"{kind}.address: whoever has the cluster sees what is sent there, so that no file names it: "
            "give it on the command line (--address)."
        )
    made = find_study(kind, reference)
    return made(made.config_type(**values))


def as_toml(study: AnyStudy) -> str:
    """Return the file of a study: `parse_study` makes an equal one from it.

    Raises:
        UsageError: a text in it cannot be written in UTF-8.
    """
    import tomli_w

    reference = reference_of(type(study))
    named = {} if reference is None else {"study": reference}
    values = study.config.model_dump(mode="json", exclude_none=True)  # TOML has no word for None
    check_texts(f"{study.kind()}.", values)
    return tomli_w.dumps({**named, study.kind(): values})
