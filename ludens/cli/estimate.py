"""`ludens estimate`: preferences from a run or a table of choices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ludens.cli.application import app
from ludens.cli.blocks import ExecutorOptions, with_blocks
from ludens.cli.options import Json, Seed
from ludens.cli.printing import console, print_json
from ludens.errors import UsageError

if TYPE_CHECKING:
    from ludens.experiments.estimates.table import EstimateTable


@app.command()
@with_blocks
def estimate(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|TABLE",
            help="A run's .db file, or a table of choices: CSV (also .gz, .zip), Excel, Parquet or Stata.",
            show_default=False,
        ),
    ],
    *,
    model: Annotated[
        str,
        typer.Option(
            help="moralis, fehr_schmidt, charness_rabin, bfs or ces; sfem for strategies of repeated games."
        ),
    ] = "moralis",
    types: Annotated[
        str | None,
        typer.Option(
            help="Number of types, such as 3, or several numbers side by side, such as 1..4.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        Literal["pooled", "subject"] | None,
        typer.Option(
            help="Estimate all together, or each on its own; by default each policy of a run.",
            show_default=False,
        ),
    ] = None,
    fix: Annotated[
        str | None,
        typer.Option(help="Hold parameters at values, such as kappa=0,noise=8.", show_default=False),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN|TABLE|policies",
            help="Another run or table, of other subjects: estimate both, and their differences; the word "
            "policies: the policies of one run.",
            show_default=False,
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            help="Test values of parameters jointly, such as alpha=0,beta=0 (Wald, likelihood ratio).",
            show_default=False,
        ),
    ] = None,
    errors: Annotated[
        Literal["cluster", "cr2", "hessian", "bootstrap", "ratio"] | None,
        typer.Option(
            help="Standard errors; by default clustered, for runs intervals from likelihood ratios; cr2: "
            "bias-reduced, for few clusters.",
            show_default=False,
        ),
    ] = None,
    beliefs: Annotated[
        Literal["uniform", "equilibrium", "stated", "all"],
        typer.Option(help="Beliefs about the others' strategies in games; all: estimates under each."),
    ] = "uniform",
    columns: Annotated[
        str | None,
        typer.Option(
            help="Names of columns in the table, such as subject=sid,cluster=session.", show_default=False
        ),
    ] = None,
    covariates: Annotated[
        str | None,
        typer.Option(
            help="Columns on which weights depend, such as 'kappa ~ age + treated; beta ~ age'.",
            show_default=False,
        ),
    ] = None,
    noise_by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of groups, such as treatment, that share preferences and differ in noise; of a run: "
            "policy.",
            show_default=False,
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Column by which errors are clustered, such as session; two, such as sid,session, for both.",
            show_default=False,
        ),
    ] = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Leave out choices with empty cells, and count them.")
    ] = False,
    codes: Annotated[
        str | None,
        typer.Option(
            help="Meaning of codes in answers, such as 1=x,2=y or 0=keep,1=trust.", show_default=False
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            help="Names of columns where each decision has one, such as 'mini.{question}.player.{column}'.",
            show_default=False,
        ),
    ] = None,
    questions: Annotated[
        Path | None,
        typer.Option(
            help="A table of what each question offers, joined by the columns in common.", show_default=False
        ),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(help="What separates cells of a CSV file; recognised otherwise.", show_default=False),
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(help="The decimal mark, . or , (recognised otherwise).", show_default=False)
    ] = None,
    sheet: Annotated[
        str | None, typer.Option(help="The sheet of a workbook with several.", show_default=False)
    ] = None,
    draws: Annotated[int | None, typer.Option(help="Number of bootstrap draws.", show_default=False)] = None,
    stars: Annotated[bool, typer.Option("--stars", help="Mark significance.")] = False,
    latex: Annotated[
        Path | None, typer.Option(help="Write the table as LaTeX (booktabs).", show_default=False)
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Label of the LaTeX table, such as tab:people.", show_default=False)
    ] = None,
    caption: Annotated[
        str | None, typer.Option(help="Caption of the LaTeX table.", show_default=False)
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write every number as CSV.", show_default=False)] = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="Draw the parameters with intervals (.png or .svg).", show_default=False),
    ] = None,
    seed: Seed = 0,
    executor: ExecutorOptions,
    as_json: Json = False,
) -> None:
    """Estimate preferences from choices, with standard errors."""
    from ludens.experiments.estimates.estimate import EstimateRequest, compare_policies, compare_sources
    from ludens.experiments.estimates.estimate import estimate as run_estimate
    from ludens.experiments.estimates.figures import save_figure
    from ludens.experiments.estimates.layout import print_table, to_csv, to_latex
    from ludens.experiments.estimates.table import as_json as table_as_json
    from ludens.experiments.report.drawing import check_figure
    from ludens.experiments.runs.files import write_table

    if latex is None and (label is not None or caption is not None):
        raise UsageError("--label and --caption belong to a LaTeX table: name its file by --latex.")
    if figure is not None:
        check_figure(figure)
    reading = {
        "drop_missing": drop_missing,
        "codes": _pairs(codes, "--codes"),
        "pattern": pattern,
        "questions": questions,
        "delimiter": {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter),
        "decimal": decimal,
        "sheet": sheet,
    }
    request = EstimateRequest(
        model=model,
        types=_types(types),
        by=by,
        fix=_numbers(fix, "--fix"),
        errors=errors,
        beliefs=beliefs,
        columns={**_pairs(columns, "--columns"), **_clusters(cluster)},
        reading={name: value for name, value in reading.items() if value},
        draws=draws,
        seed=seed,
        map_with=executor.map_with,
        test=_numbers(test, "--test"),
        covariates=_formulas(covariates),
        noise_by=noise_by,
    )
    if figure is not None and isinstance(request.types, tuple):
        raise UsageError("--figure draws one number of types: ask for it, as in --types 3.")
    if compare == Path("policies"):
        tables: tuple[EstimateTable, ...] = (compare_policies(source, request),)
    elif compare is not None:
        tables = (compare_sources(source, compare, request),)
    else:
        tables = run_estimate(source, request)
    if latex is not None:
        # Of several tables the later ones number their labels.
        labels = [label and label + (f"-{place}" if place else "") for place in range(len(tables))]
        texts = [
            to_latex(table, stars=stars, label=name, caption=caption)
            for table, name in zip(tables, labels, strict=True)
        ]
        write_table("\n".join(texts), latex, "name another file.")
    if csv is not None:
        write_table(to_csv(tables), csv, "name another file.")
    if figure is not None:
        save_figure(tables[0], figure)
    if as_json:
        print_json([table_as_json(table) for table in tables])
        return
    for table in tables:
        print_table(table, console(), stars=stars)


def _types(text: str | None) -> int | tuple[int, int] | None:
    if text is None:
        return None
    low, dots, high = text.partition("..")
    try:
        first, last = int(low), int(high) if dots else int(low)
    except ValueError:
        first = last = 0
    if not 1 <= first <= last:
        raise UsageError(f"--types takes a number of types, as 3, or several, as 1..4; got {text!r}.")
    return (first, last) if dots else first


def _formulas(text: str | None) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (part.strip() for part in (text or "").split(";"))):
        name, tilde, right = (word.strip() for word in part.partition("~"))
        columns = tuple(word.strip() for word in right.split("+"))
        if not tilde or not name or not all(columns) or name in found or len(set(columns)) < len(columns):
            raise UsageError(f"--covariates takes 'kappa ~ age + treated', each name once; got {text!r}.")
        found[name] = columns
    return found


def _clusters(text: str | None) -> dict[str, str]:
    names = [] if text is None else [name.strip() for name in text.split(",")]
    if len(names) > 2 or not all(names) or len(set(names)) < len(names):
        raise UsageError(f"--cluster takes one column or two different ones, as sid,session; got {text!r}.")
    return dict(zip(("cluster", "cluster_2"), names, strict=False))


def _pairs(text: str | None, option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in (text or "").split(","))):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not name or not value or name in pairs:
            raise UsageError(f"{option} takes name=value, each name once, separated by commas; got {text!r}.")
        pairs[name] = value
    return pairs


def _numbers(text: str | None, option: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in _pairs(text, option).items():
        try:
            found[name] = float(value)
        except ValueError:
            raise UsageError(f"{option} takes a number for {name}; got {value!r}.") from None
    return found
