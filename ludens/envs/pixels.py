"""Figures as arrays of pixels, for environments whose render mode is ``"rgb_array"``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito's palette, which colour-blind readers can tell apart."""

MAX_PIXELS = 8000


def figure_pixels(figure: Figure) -> NDArray[np.uint8]:
    """Draw a figure and return its pixels, shape (height, width, 3), uint8.

    A figure that would have a side of more than 8,000 pixels is drawn at a lower resolution.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(min(figure.get_dpi(), MAX_PIXELS / max(figure.get_size_inches())))
    canvas: Any = FigureCanvasAgg(figure)  # matplotlib leaves the two methods below without types
    canvas.draw()
    return np.asarray(canvas.buffer_rgba(), dtype=np.uint8)[..., :3].copy()
