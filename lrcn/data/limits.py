"""The most that data of strangers may ask for, so that no file can take all memory."""

from __future__ import annotations

import dataclasses

from lrcn import errors


@dataclasses.dataclass(frozen=True)
class Limits:
    """Keys of `limits`; what asks for more is refused before memory is taken for it.

    Attributes:
        image_pixels: Height times width of an image or a frame of a video.
        frames: Frames of a video or of a folder of frames, before `fps` and `frame_step`.
        record_bytes: Bytes of one item in TFRecords.
        caption_words: Words of one caption.
        line_bytes: Bytes of one line of a text file.
        file_bytes: Bytes of a file that is read as a whole, such as annotations.
        archive_bytes: Bytes of a `.keras` or weights file when it is unpacked.

    Raises:
        UserError: A limit is below 1.
    """

    image_pixels: int = 100_000_000
    frames: int = 1_000_000
    record_bytes: int = 2**31
    caption_words: int = 1000
    line_bytes: int = 2**20
    file_bytes: int = 2**31
    archive_bytes: int = 2**34

    def __post_init__(self):
        for key, value in dataclasses.asdict(self).items():
            if value < 1:
                raise errors.UserError(
                    "value out of range",
                    where=f"limits.{key}",
                    received=value,
                    expected="1 or more",
                    remedy=f"Leave limits.{key} out for its default",
                )

    def require(self, key: str, received: int, *, where: object, what: str) -> None:
        """Raises a `UserError` if something is larger than a limit allows.

        Args:
            key: The name of the limit.
            received: What is asked for.
            where: The file or its part.
            what: What is too large, such as "an image".
        """
        most = getattr(self, key)
        if received > most:
            unit = key.rpartition("_")[2]
            raise errors.UserError(
                f"{what} is larger than the limit",
                where=where,
                received=f"{received:,} {unit}",
                expected=f"at most {most:,} {unit}",
                remedy=f"Leave it out, or raise limits.{key} if it can be trusted",
            )
