"""`ludens price compare`: pricing runs under several treatments against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ludens.cli.options import Csv, Json, Seed
from ludens.cli.price.market import price_app
from ludens.cli.printing import console, print_json
from ludens.errors import UsageError


@price_app.command()
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]RUN…", help="The .db files of runs, named or not.", show_default=False
        ),
    ],
    *,
    by: Annotated[
        Literal["run", "scale", "firms"],
        typer.Option(help="What makes a treatment: each run, each price scale, or the number of firms."),
    ] = "run",
    against: Annotated[
        str | None,
        typer.Option(
            help="The treatment that others are compared with; by default the first.", show_default=False
        ),
    ] = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Write a report (.html) to this file.", show_default=False)
    ] = None,
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Compare prices, profits and the profit gain of runs, with intervals."""
    from ludens.experiments.pricing.treatments import compare as compare_runs
    from ludens.experiments.pricing.treatments_page import page, print_comparison
    from ludens.experiments.report.terminal import print_places
    from ludens.experiments.report.writing import write_page
    from ludens.experiments.study.export import check_target, write_rows

    if out is not None and out.suffix != ".html":
        raise UsageError(f"--out writes a report, a file that ends in .html; got {out}.")
    if csv is not None:
        check_target(csv, None)
    found = compare_runs(_named(runs), by=by, against=against, seed=seed)
    again = "name another file; the runs are as they were."
    if out is not None:
        write_page(page(found), out, again)
    if csv is not None:
        write_rows(list(found.rows()), csv, again)
    if as_json:
        print_json(found.as_json())
        return
    print_comparison(found, console())
    if out is not None:
        print_places(console(), [("Report", out)])


def _named(texts: list[str]) -> dict[str, str]:
    """Return the files by name: ``P1=a.db``, or the file's own name.

    Raises:
        UsageError: two have one name.
    """
    named: dict[str, str] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or Path(text).exists():
            name, path = Path(text).stem, text
        if name in named:
            raise UsageError(f"Two runs are called {name!r}: name them, as in P1={path}.")
        named[name] = path
    return named
