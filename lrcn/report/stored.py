"""The records that an evaluation was made on, while they are still the same."""

from __future__ import annotations

from lrcn.data import records
from lrcn.data.limits import Limits
from lrcn.errors import UserError
from lrcn.inference import protocols


def open_records(
    protocol: protocols.Protocol | None, *, limits: Limits = Limits()
) -> records.RecordSet:
    """Opens the records of an evaluation.

    Args:
        protocol: How it was made, if that is known.
        limits: The most that the records may ask for.

    Raises:
        UserError: They are gone, not the same any more, or not known.
    """
    if protocol is None:
        raise UserError(
            "the evaluation does not tell its records",
            where="evaluation",
            received="no protocol.json",
            expected="an evaluation of this version",
            remedy="Evaluate the run again",
        )
    found = records.open_records(protocol.path, limits=limits)
    if found.digest != protocol.digest:
        raise UserError(
            "the records were changed since the evaluation",
            where=protocol.path,
            received=f"digest {found.digest}",
            expected=f"digest {protocol.digest}",
            remedy="Evaluate the run again",
        )
    return found
