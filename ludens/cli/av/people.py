"""`ludens av people`: effects of the Moral Machine from people's own answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ludens.cli.av.ask import av_app
from ludens.cli.options import Csv, Json
from ludens.cli.printing import console, print_json


@av_app.command()
def people(
    file: Annotated[
        Path,
        typer.Argument(
            help="A file in the public layout SharedResponses of the Moral Machine, also compressed.",
            show_default=False,
        ),
    ],
    *,
    country: Annotated[
        str | None, typer.Option(help="Take the answers of one country, such as USA.", show_default=False)
    ] = None,
    as_json: Json = False,
    csv: Csv = None,
) -> None:
    """Estimate the nine effects of the Moral Machine from people's answers."""
    from ludens.experiments.av.moral_result import EFFECTS, rows_of
    from ludens.experiments.av.moral_terminal import print_people
    from ludens.experiments.av.people import read_answers
    from ludens.experiments.study.export import check_target, write_rows

    if csv is not None:
        check_target(csv)
    answers = read_answers(file, country=country)
    name = file.name.partition(".")[0]
    rows = list(rows_of(name, answers.effects()))
    if csv is not None:
        write_rows(rows, csv, "name another file.", columns=EFFECTS)
    if as_json:
        print_json({"effects": rows, "notes": list(answers.notes)})
        return
    print_people(name, answers, console())
