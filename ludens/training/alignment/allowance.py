"""What the runs of an alignment may spend together: one budget over all their models and all sessions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ludens.experiments.runs.budget import Budget, BudgetSpentError, Spending, taken
from ludens.experiments.runs.run import Run


class Allowance:
    """The budget of an alignment, of which each run has what the others have left.

    Args:
        folder: of the alignment, where its runs lie.
        budget: None for no limit.
    """

    def __init__(self, folder: Path, budget: Budget | None) -> None:
        self._folder, self._budget = folder, budget

    @contextmanager
    def of(self, path: Path) -> Iterator[Budget | None]:
        """Give the budget of one run, for as long as it is played; a run that is done needs none.

        Raises:
            BudgetSpentError: the budget of the alignment is spent, now or at the end.
        """
        if self._budget is None or is_done(path):
            yield None
            return
        try:
            yield self._left(path)
        except BudgetSpentError as error:
            raise self._error(error.limit) from None

    def _left(self, path: Path) -> Budget:
        assert self._budget is not None
        left = self._budget.left(*self._spent(without=path))
        if reached := [name for name, amount in left.items() if amount <= 0]:
            raise self._error(reached[0])
        return Budget(**left)

    def _spent(self, without: Path | None = None) -> tuple[Spending, float]:
        """Return what the runs took, and for how many seconds they were at work."""
        spent, seconds = Spending(), 0.0
        for file in sorted(self._folder.glob("*.db")):
            if file != without:
                with Run(file) as run:
                    spent, seconds = spent + run.spending(), seconds + run.manifest["seconds"]
        return spent, seconds

    def _error(self, limit: str) -> BudgetSpentError:
        assert self._budget is not None
        used, larger = taken(self._budget, limit, *self._spent())
        return BudgetSpentError(
            f"The budget for the questions of {self._folder} is spent ({used}): give the same command a "
            f"larger one, as in --max-{limit} {larger}, and it goes on.",
            limit,
        )


def is_done(path: Path) -> bool:
    """Return whether the file holds a run that is done."""
    if not path.exists():
        return False
    with Run(path) as run:
        return bool(run.manifest["status"] == "done")
