"""In what state a run is: done, failed, training now, or stopped before its end."""

from __future__ import annotations

import dataclasses
import shlex

from lrcn import files, runs
from lrcn.errors import UserError


@dataclasses.dataclass(frozen=True)
class State:
    """In what state a run is.

    Attributes:
        name: "done", "failed", "training" or "stopped".
        told: A sentence for the reader.
        remedy: What goes on with it; empty for a run that is done.
    """

    name: str
    told: str
    remedy: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the run finished."""
        return self.name == "done"


DONE = State("done", "The run is done.")


def state(run: runs.RunDirectory) -> State:
    """Returns in what state a run is; one that was killed is told from one that trains now."""
    again = f"lrcn train {shlex.quote(f'resume={run.path}')}"
    if run.failure is not None:
        return State("failed", f"The run failed: {run.failure}", f"Mend that, then: {again}")
    if run.is_done:
        return DONE
    if files.is_locked(run.path / files.LOCK):
        by = files.holder(run.path / files.LOCK)
        told = f"The run is still training ({by}): what is there is of its epochs so far."
        return State("training", told, "Make the report again when it is done")
    told = "The run was stopped before its end: what is there is of its epochs so far."
    return State("stopped", told, f"Go on with: {again}")


def require_something(run: runs.RunDirectory, found: State) -> None:
    """Raises a `UserError` for a run of which nothing can be shown yet.

    Args:
        run: The run.
        found: Its state.
    """
    if run.history_file.exists() or any(run.evaluation("").glob("*/metrics.json")):
        return
    if found.name != "failed":
        run.read_config()  # tells if it is no run at all
    raise UserError(
        "the run failed before its first epoch" if found.name == "failed" else "no epoch is over",
        where=run.path,
        received=run.failure or "no history.csv and no evaluation",
        expected="a run that finished an epoch",
        remedy=found.remedy or "Train it for an epoch first",
    )
