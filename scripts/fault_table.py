"""Writes the table of faults into the README, from the bad inputs of `tests/faults`.

`python scripts/fault_table.py`; a test fails while the two differ.
"""

from __future__ import annotations

import pathlib
import sys


def main() -> int:
    """Rewrites the README if its table is another one, and prints how many faults it has."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
    import faults
    from faults import table

    text = table.README.read_text(encoding="utf-8")
    table.README.write_text(table.replaced(text, table.rendered(faults.SUBJECTS)), encoding="utf-8")
    made = sum(len(subject.faults) for subject in faults.SUBJECTS)
    others = sum(len(subject.elsewhere) for subject in faults.SUBJECTS)
    print(f"{table.README.name}: {made} bad inputs, {others} other faults")
    return 0


if __name__ == "__main__":
    sys.exit(main())
