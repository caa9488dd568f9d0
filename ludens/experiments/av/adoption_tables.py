"""The tables of the adoption game: groups, thresholds, and results per round."""

from __future__ import annotations

from ludens.display.table import Cell, Table
from ludens.experiments.av.adoption_result import AdoptionResult
from ludens.experiments.report.names import DASH, policy_name


def tables(result: AdoptionResult) -> list[Table]:
    """Return all tables, in the order of the page."""
    shown = [groups_table(result), _thresholds(result)]
    if result.deaths_per_round is not None:
        shown.append(_lives(result))
    if result.decisions is not None:
        shown.append(_decisions(result))
    return shown


def groups_table(result: AdoptionResult) -> Table:
    """Return the results of each group, shares in per cent."""
    headers = ["people", "first", "last", "payoff"]
    headers += ["last without law"] * (result.unregulated is not None)
    rows = []
    for group in result.groups:
        cells = [str(group.people), _percent(group.before), _percent(group.after)]
        cells.append(DASH if group.payoff is None else f"{group.payoff:.5g}")
        cells += [_percent(group.without_law)] * (result.unregulated is not None)
        rows.append((policy_name(group.name), cells))
    caption = "Share of utilitarian cars before the first and after the last round; payoff per round."
    return Table.of("Groups", caption, headers, rows, corner="group")


def threshold(value: float | None) -> str:
    """Return a threshold as text; an infinite one does not exist."""
    return "does not exist" if value is None else f"{value:.4g}".replace("-", "−")


def _thresholds(result: AdoptionResult) -> Table:
    limits = result.thresholds
    names = {"kappa": "κ* (weight on universalisation)", "altruism": "a* (weight on each other life)"}
    rows = [(name, [threshold(limits[key]), threshold(limits[f"{key}_last"])]) for key, name in names.items()]
    caption = (
        "The weight above which a utilitarian car is chosen, behind the veil of ignorance: at the shares "
        "before anybody chose and without a law, and in the last round."
    )
    return Table.of("Thresholds", caption, ["at first", "in the last round"], rows, corner="threshold")


def _lives(result: AdoptionResult) -> Table:
    assert result.deaths_per_round is not None
    names = ("passengers", "pedestrians", "outsiders")
    rows = [(name, [f"{lost:.4g}"]) for name, lost in zip(names, result.deaths_per_round, strict=True)]
    caption = "Means over populations that were played to their end."
    return Table.of("Lives lost", caption, ["per round"], rows, corner="of")


def _decisions(result: AdoptionResult) -> Table:
    assert result.decisions is not None
    rows = [("decisions", [Cell(str(count)) for count in result.decisions.values()])]
    caption = (
        "None is replaced by a guess: a population with an answer that could not be read is not finished."
    )
    return Table.of("Decisions", caption, [name.replace("_", " ") for name in result.decisions], rows)


def _percent(share: float | None) -> str:
    return DASH if share is None else f"{100 * share:.1f} %"
