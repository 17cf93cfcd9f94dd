"""Where the time of traced steps went: from a trace of TensorFlow's profiler to a table that sums.

Every moment of a step belongs to one row: to the operation that ran, or in equal parts to those
that ran beside each other; else to waiting for data, to TensorFlow between two operations, or to
callbacks and Python.
"""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lrcn.errors import UserError

STEP = "lrcn step"
"""Name of the event that a step is traced as, from its begin to the begin of the next."""

_WAITING = ("waiting for data", "")
_BETWEEN = ("TensorFlow", "between operations")
_PYTHON = ("callbacks and Python", "")
_RUNNING = "EagerKernelExecute"  # TensorFlow has been called from Python
_FETCHING = "IteratorGetNextOp::DoCompute"
_OPERATION = re.compile(r"^(?P<path>[^:]+):(?P<kind>\w+)$")
_BACKWARD = "gradient_tape/"
_OPTIMIZERS = re.compile(r"(^|/)(sgd|adam|rmsprop|loss_scale_optimizer)(_\d+)?/")
# By what the name of an operation holds; the first that fits.
_KINDS = (
    ("convolution", ("Conv2D", "Conv2d")),
    ("matrix product", ("MatMul", "Einsum")),
    ("pooling", ("Pool",)),
    ("normalization", ("BatchNorm", "LRN", "FusedBatch")),
    ("random numbers", ("Random", "Rng")),
    ("change of type", ("Cast",)),
    ("loop of time steps", ("TensorList", "TensorArray", "While", "NextIteration", "Switch")),
    (
        "copying",
        ("Concat", "Reshape", "Slice", "Split", "Transpose", "Pad", "Pack", "Gather", "Reverse"),
    ),
)
_ELEMENTWISE = "element by element"
_PICOSECONDS = 1e12

Row = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Breakdown:
    """What the mean step was spent on.

    Attributes:
        steps: Steps that were traced.
        seconds: By part and kind of operation, of the mean step, the longest first.
    """

    steps: int
    seconds: dict[Row, float]

    @property
    def step(self) -> float:
        """Seconds of the mean step."""
        return sum(self.seconds.values())


@dataclasses.dataclass(frozen=True)
class Piece:
    """A stretch of time in which a thread did one thing.

    Attributes:
        begin: In picoseconds.
        end: In picoseconds.
        row: What it counts as.
    """

    begin: int
    end: int
    row: Row


def read(folder: pathlib.Path) -> Breakdown:
    """Returns what the traced steps of a run were spent on.

    Args:
        folder: The newest trace below it is read, `plugins/profile/*/*.xplane.pb`.

    Raises:
        UserError: There is no trace, or no step in it.
    """
    # It comes with TensorFlow, which is imported only when work starts.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    files = sorted(folder.glob("plugins/profile/*/*.xplane.pb"))
    space = xplane_pb2.XSpace()
    if files:
        space.ParseFromString(files[-1].read_bytes())
    lines = [events for plane in space.planes for events in _events(plane)]
    steps = [(begin, end) for _, events in lines for begin, end, name in events if name == STEP]
    if not steps:
        raise UserError(
            "no training step was traced",
            where=folder,
            received=f"{len(files)} traces" if files else "no trace",
            expected=f"a trace that holds '{STEP}'",
            remedy="Train with profile=true, a few steps or more",
        )
    return of(lines, steps)


def of(
    lines: Sequence[tuple[str, list[tuple[int, int, str]]]], steps: Sequence[tuple[int, int]]
) -> Breakdown:
    """Returns what steps were spent on.

    Args:
        lines: By thread its name and events (begin, end, name), in picoseconds.
        steps: Begin and end of each step.
    """
    working, fetching, running = [], [], []
    for name, events in lines:
        if name.startswith("tf_data"):
            fetching += [Piece(a, b, _WAITING) for a, b, what in events if what == _FETCHING]
            continue
        working += _innermost(events)
        running += [Piece(a, b, _BETWEEN) for a, b, what in events if what == _RUNNING]
    total: collections.Counter[Row] = collections.Counter()
    for begin, end in steps:
        total.update(_shares(begin, end, (working, fetching, running)))
    seconds = {row: took / _PICOSECONDS / len(steps) for row, took in total.most_common()}
    return Breakdown(len(steps), seconds)


def row_of(name: str) -> Row | None:
    """Returns the part and kind of an operation by its name in a trace; None for other events."""
    found = _OPERATION.match(name)
    if not found or "::" in name or found["kind"] in ("While", "StatefulPartitionedCall"):
        return None
    path, operation = found["path"], found["kind"]
    if path.startswith("EagerLocalExecute"):
        return None
    part = "forward"
    if _BACKWARD in path:
        part = "backward"
    elif _OPTIMIZERS.search(path):
        return ("optimizer", "")
    for kind, words in _KINDS:
        if any(word in operation for word in words):
            return (part, kind)
    return (part, _ELEMENTWISE)


def _events(plane) -> Iterator[tuple[str, list[tuple[int, int, str]]]]:
    names = plane.event_metadata
    for line in plane.lines:
        start = line.timestamp_ns * 1000
        events = [
            (
                start + event.offset_ps,
                start + event.offset_ps + event.duration_ps,
                names[event.metadata_id].name,
            )
            for event in line.events
        ]
        yield line.name, events


def _innermost(events: Iterable[tuple[int, int, str]]) -> list[Piece]:
    """Returns the pieces of a thread's operations, without what ran inside them."""
    pieces: list[Piece] = []
    opened: list[list] = []  # begin of what is left, end, row

    def close(until: int) -> None:
        while opened and opened[-1][1] <= until:
            begin, end, row = opened.pop()
            if begin < end:
                pieces.append(Piece(begin, end, row))
            if opened:
                opened[-1][0] = max(opened[-1][0], end)

    operations = [(a, b, row) for a, b, name in events if (row := row_of(name)) is not None]
    for begin, end, row in sorted(operations, key=lambda given: (given[0], -given[1])):
        close(begin)
        if opened and opened[-1][0] < begin:
            pieces.append(Piece(opened[-1][0], begin, opened[-1][2]))
        if opened:
            end = min(end, opened[-1][1])
            opened[-1][0] = end
        opened.append([begin, end, row])
    close(max((end for _, end, _ in operations), default=0))
    return pieces


def _shares(begin: int, end: int, levels: Sequence[Sequence[Piece]]) -> Mapping[Row, float]:
    """Returns the picoseconds of each row in a step; a level counts where those before are idle."""
    moves: list[tuple[int, int, int, Row]] = []
    for level, pieces in enumerate(levels):
        for piece in pieces:
            first, last = max(piece.begin, begin), min(piece.end, end)
            if first < last:
                moves += [(first, 1, level, piece.row), (last, -1, level, piece.row)]
    active = [collections.Counter() for _ in levels]
    total: collections.Counter[Row] = collections.Counter()
    place = begin
    for at, change, level, row in sorted(moves, key=lambda move: move[:2]):
        _add(total, active, at - place)
        place = at
        active[level][row] += change
        if not active[level][row]:
            del active[level][row]
    _add(total, active, end - place)
    return total


def _add(total: collections.Counter, active: Sequence[collections.Counter], took: int) -> None:
    if not took:
        return
    busy = next((rows for rows in active if rows), None)
    if busy is None:
        total[_PYTHON] += took
        return
    count = sum(busy.values())
    for row, number in busy.items():
        total[row] += took * number / count
