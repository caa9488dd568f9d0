"""`ludens envs` and `ludens models`: the environments, and the models that can be used here."""

from __future__ import annotations

from typing import Any

from ludens.cli.application import app
from ludens.cli.options import Json
from ludens.cli.printing import console, print_json


@app.command()
def envs(as_json: Json = False) -> None:
    """List the environments with their roles, parameters and protocols."""
    from ludens.envs import LIBRARY
    from ludens.envs.av.registration import KINDS
    from ludens.envs.budgets.registration import BUDGET
    from ludens.envs.games import load_games
    from ludens.envs.pricing.registration import PRICING
    from ludens.envs.spec import EnvSpec

    specs = (*PRICING, *KINDS, BUDGET, *(each for each in load_games().values() if isinstance(each, EnvSpec)))
    if as_json:
        print_json([*(_family(family) for family in LIBRARY.values()), *map(_kind, specs)])
        return
    from rich import box
    from rich.table import Table

    screen = console()
    for family in LIBRARY.values():
        table = Table("protocol", box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
        for name in family.parameters:
            table.add_column(name, justify="right")
        for protocol, numbers in family.protocols.items():
            table.add_row(protocol, *(f"{number:g}" for number in numbers))
        screen.print(f"[bold]{family.environment}[/bold]")
        screen.print(f"{family.title}, {family.source}; roles: {', '.join(family.roles)}", style="dim")
        screen.print(table)
    for kind in specs:
        screen.print(f"[bold]{kind.environment}[/bold]")
        screen.print(f"{kind.title}, {kind.source}; roles: {', '.join(kind.roles)}", style="dim")
        screen.print(f"options: {', '.join(kind.options)}\n", style="dim")


@app.command()
def models(as_json: Json = False) -> None:
    """List the models that can be used here."""
    from ludens.agents.llm.models import list_models, render

    found = list_models()
    if as_json:
        print_json(found)
    else:
        from ludens.agents.registry import policy_names

        screen = console()
        render(found, screen)
        names = ", ".join(policy_names())
        screen.print(f"Policies without a model, in game trees: {names}.", style="dim", markup=False)


def _family(family: Any) -> dict[str, Any]:
    return {
        "id": family.environment,
        "title": family.title,
        "source": family.source,
        "roles": list(family.roles),
        "parameters": list(family.parameters),
        "protocols": {
            name: dict(zip(family.parameters, numbers, strict=True))
            for name, numbers in family.protocols.items()
        },
    }


def _kind(kind: Any) -> dict[str, Any]:
    return {
        "id": kind.environment,
        "title": kind.title,
        "source": kind.source,
        "roles": list(kind.roles),
        "parameters": [],
        "protocols": {},
        "options": list(kind.options),
    }
