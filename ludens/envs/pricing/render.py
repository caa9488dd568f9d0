"""Text and pictures of a pricing market: price and profit paths beside Nash and joint-profit lines.

They show the whole market, for spectators; a firm's turn holds what it may know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ludens.envs.pixels import COLOURS
from ludens.envs.pricing.options import PricingOptions
from ludens.envs.pricing.simulator import PricingCore

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


Floats = NDArray[np.float64]

ROWS = 10
WIDTH = 60
SIZE, DPI = (9.0, 6.0), 100

_BARS = "▁▂▃▄▅▆▇█"
_STYLES = ("-", "--", "-.", ":")


class MarketHistory(Protocol):
    """The properties of a pricing environment that are shown; `ludens.envs.pricing.base` describes them."""

    environment: str
    options: PricingOptions
    core: PricingCore
    possible_agents: list[str]

    @property
    def period(self) -> int:
        """How many periods have been played."""

    @property
    def prices(self) -> Floats:
        """The prices in units of money, (period, J)."""

    @property
    def profits(self) -> Floats:
        """The profits in units of money, (period, F)."""


def benchmarks(played: MarketHistory) -> tuple[Floats, Floats]:
    """Return Nash and joint-profit prices in each period played and the next one, (period + 1, J) each.

    They are NaN for products that are not on sale.
    """
    regimes = [played.core.schedule.regime(period) for period in range(played.period + 1)]
    nash = np.array([regime.nash for regime in regimes])
    return nash, np.array([regime.monopoly for regime in regimes])


def profit_benchmarks(played: MarketHistory) -> tuple[Floats, Floats]:
    """Return each firm's profits at those prices, (period + 1, F) each; NaN for firms not in the market."""
    regimes = [played.core.schedule.regime(period) for period in range(played.period + 1)]
    low, high = (np.array(each) for each in zip(*(regime.profits for regime in regimes), strict=True))
    return low, high


def text(played: MarketHistory) -> str:
    """Return the last periods as a table, and each product's price path as a row of bars.

    The lowest bar stands for the Nash price or less, the highest for the joint-profit price or more.
    """
    owners = list(played.options.market.owners)
    names = [f"firm_{owner}" for owner in owners]
    if len(set(owners)) < len(owners):
        names = [f"{name}, product {number}" for number, name in enumerate(names)]
    prices, profits, (nash, monopoly) = played.prices, played.profits, benchmarks(played)
    lines = [f"{played.environment}: {played.period} of {played.options.periods} periods", ""]
    width = max(10, *(len(name) for name in names))
    head = "  ".join(f"{name:>{width}}" for name in names)
    lines.append(f"{'prices':<8}  {head}   profits by firm")
    for period in range(max(0, played.period - ROWS), played.period):
        row = "  ".join(f"{_number(price):>{width}}" for price in prices[period])
        earned = "  ".join(_number(profit) for profit in profits[period])
        lines.append(f"{period + 1:>8}  {row}   {earned}")
    for name, line in (("Nash", nash[-1]), ("joint", monopoly[-1])):
        lines.append(f"{name:>8}  " + "  ".join(f"{_number(price):>{width}}" for price in line))
    if played.period:
        lines.append("")
        shown = slice(max(0, played.period - WIDTH), played.period)
        for number, name in enumerate(names):
            path = prices[shown, number]
            lines.append(f"{name:>{width}} {_bars(path, nash[shown, number], monopoly[shown, number])}")
    return "\n".join(lines)


def figure(played: MarketHistory) -> Figure:
    """Draw price paths above profit paths, in a figure of its own (no pyplot).

    Vertical lines mark the periods from which on firms, demand, costs or rules are others.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    drawn = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    above, below = drawn.subplots(2, 1, sharex=True)
    owners = list(played.options.market.owners)
    products = [f"firm_{owner}" for owner in owners]
    if len(set(owners)) < len(owners):
        products = [f"firm_{owner}, product {number}" for number, owner in enumerate(owners)]
    _panel(above, played.prices, benchmarks(played), products, "price")
    _panel(below, played.profits, profit_benchmarks(played), played.possible_agents, "profit per period")
    schedule = played.core.schedule
    rules = [each for each in (*schedule.regulators, schedule.prominence) if each is not None]
    starts = {regime.start for regime in schedule.regimes} | {each.period - 1 for each in rules}
    for start in sorted(starts):
        if 0 < start < played.period:
            for axes in (above, below):
                axes.axvline(start + 0.5, color="#999999", linewidth=0.8, zorder=0)
    below.set_xlabel("period")
    below.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    below.set_xlim(0.5, max(played.period, 1) + 0.5)
    above.set_title(f"{played.environment}, {played.period} of {played.options.periods} periods", loc="left")
    above.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    return drawn


def _panel(axes: Axes, paths: Floats, lines: tuple[Floats, Floats], names: list[str], label: str) -> None:
    periods = np.arange(1, len(paths) + 1)
    for number, name in enumerate(names):
        colour, style = COLOURS[number % len(COLOURS)], _STYLES[number // len(COLOURS) % len(_STYLES)]
        # The marker shows a path of one period, which has no line.
        marker = "o" if len(paths) == 1 else None
        axes.plot(periods, paths[:, number], style, color=colour, marker=marker, label=name, linewidth=1.3)
    for values, style, name in ((lines[0], ":", "Nash"), (lines[1], "--", "joint profit")):
        # Firms that are alike share their lines.
        kinds = _distinct(values)
        edges = np.arange(0.5, len(values) + 1)
        for number, kind in enumerate(kinds):
            axes.stairs(
                kind, edges, baseline=None, color="#444444", linestyle=style, linewidth=1.0,
                label=name if number == 0 else None,
            )  # fmt: skip
    axes.set_ylabel(label)
    axes.spines[["top", "right"]].set_visible(False)


def _distinct(values: Floats) -> Floats:
    """Return the different columns of (T, N) as rows; one row where columns agree except for NaN."""
    everyone = np.array(
        [row[~np.isnan(row)][:1].sum() if not np.isnan(row).all() else np.nan for row in values]
    )
    if np.all(np.isnan(values) | (np.abs(values - everyone[:, None]) < 1e-9)):
        return everyone[None]
    different: Floats = np.unique(np.round(values.T, 9), axis=0)
    return different


def _bars(path: Floats, low: Floats, high: Floats) -> str:
    """Return one character for each period; a space where nothing was on sale."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (path - low) / (high - low)
    # A firm alone has no benchmarks to stand between.
    shares = np.clip(np.nan_to_num(shares, nan=0.0), 0.0, 1.0)
    levels = (shares * (len(_BARS) - 1)).round().astype(int)
    return "".join(
        " " if np.isnan(price) else _BARS[level] for price, level in zip(path, levels, strict=True)
    )


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.5g}"
