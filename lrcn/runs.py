"""The run directory: where a run keeps its configuration, checkpoints, results and marks."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import pathlib
import shutil
import traceback

from lrcn import config, files
from lrcn import settings as settings_lib
from lrcn.data import bounded, clips, lines, modality
from lrcn.data.limits import Limits
from lrcn.errors import CannotWrite, UserError

log = logging.getLogger(__name__)

# What `config.json` holds beside the settings of the training.
NOT_SETTINGS = ("overrides", "config_dir", "shown")

# What stands in a run's folder before it is one: Hydra's files, the log and an early failure.
_BEFORE_A_RUN = {".hydra", "train.log", "FAILED", files.LOCK}
_LONGEST_REASON = 2**16  # bytes of a mark that are read


@dataclasses.dataclass(frozen=True)
class Shown:
    """How items were shown to a network in training: what predicting a new one must repeat.

    Attributes:
        mode: Name and parameters as `data.clips.ClipMode` has them; None for images.
        frame_shape: `[height, width, 3]` of stored frames; None if they kept their own size.
        frame_step: Every k-th frame was stored.
        fps: Frames a second after resampling, or None.
        quality: JPEG quality of stored frames.
        modality: What stored frames show: `rgb`, `flow` or `difference`.
        flow_method: How optical flow is computed, or None.
    """

    mode: dict | None
    frame_shape: tuple[int, ...] | None
    frame_step: int
    fps: float | None
    quality: int
    modality: str = "rgb"
    flow_method: str | None = None


@dataclasses.dataclass(frozen=True)
class Origin:
    """The command line of a run, kept in `config.json` so that `resume=RUN` can repeat it.

    Attributes:
        overrides: "key=value" each.
        config_dir: The folder of the user's own configuration files, or None.
    """

    overrides: list[str]
    config_dir: str | None = None


@dataclasses.dataclass(frozen=True)
class RunDirectory:
    """Names every file of a run and reads and writes the small ones.

    Args:
        path: The folder of the run.
    """

    path: pathlib.Path

    def __post_init__(self):
        object.__setattr__(self, "path", pathlib.Path(self.path))

    @property
    def config_file(self) -> pathlib.Path:
        """The settings the run was started with: the truth, whatever `.hydra/` says."""
        return self.path / "config.json"

    @property
    def last(self) -> pathlib.Path:
        """The newest checkpoint, with optimizer and resume state."""
        return self.path / "checkpoints" / "last.keras"

    @property
    def previous(self) -> pathlib.Path:
        """The checkpoint before `last`, to go on from if that one is broken."""
        return self.path / "checkpoints" / "previous.keras"

    @property
    def best(self) -> pathlib.Path:
        """The checkpoint of the best epoch by the monitored value."""
        return self.path / "checkpoints" / "best.keras"

    @property
    def state_file(self) -> pathlib.Path:
        """A readable copy of the state that `last.keras` holds inside."""
        return self.path / "state.json"

    @property
    def history_file(self) -> pathlib.Path:
        """A row an epoch."""
        return self.path / "history.csv"

    @property
    def labels_file(self) -> pathlib.Path:
        """A class name a line, in the order of the model's outputs."""
        return self.path / "labels.txt"

    @property
    def vocabulary_file(self) -> pathlib.Path:
        """The words of captions, in the order of the model's outputs."""
        return self.path / "vocabulary.json"

    @property
    def metrics_file(self) -> pathlib.Path:
        """The metrics of `best.keras` on the validation split."""
        return self.path / "metrics.json"

    @property
    def curves_file(self) -> pathlib.Path:
        """The picture of the training curves."""
        return self.path / "curves.png"

    @property
    def tensorboard(self) -> pathlib.Path:
        """The folder of TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def profile_file(self) -> pathlib.Path:
        """Where the time of a step goes, if `profile` is set."""
        return self.path / "profile.csv"

    @property
    def is_begun(self) -> bool:
        """Whether the run has been saved once, so that its settings are settled."""
        saved = self.last.exists() or self.previous.exists()
        return self.config_file.exists() and (saved or self.is_done)

    @property
    def is_foreign(self) -> bool:
        """Whether the folder holds files, but is no run: they may be somebody's own."""
        is_ours = not self.path.is_dir() or self.config_file.exists()
        return not is_ours and any(own.name not in _BEFORE_A_RUN for own in self.path.iterdir())

    @property
    def has_links(self) -> bool:
        """Whether anything in the folder is a link; lrcn makes none, and writes through none."""
        return files.first_link(self.path) is not None

    def require_own(self) -> None:
        """Refuses a run with links in it: what is written there would go to files of others.

        Raises:
            UserError: The first link; the folder itself may be reached by one.
        """
        if (link := files.first_link(self.path)) is not None:
            raise UserError(
                "the folder of the run holds a link, and is not written to",
                where=link,
                received=f"a link to {link.readlink()}",
                expected="files and folders alone, as `lrcn train` makes them",
                remedy="Remove the link, or put what it leads to in its place if it is yours",
            )

    @property
    def is_done(self) -> bool:
        """Whether the run finished."""
        return (self.path / "DONE").exists()

    @property
    def failure(self) -> str | None:
        """The first line of the `FAILED` mark, or None."""
        mark = self.path / "FAILED"
        if not mark.exists():
            return None
        try:
            with bounded.opened(mark) as stream:
                line = stream.readline(_LONGEST_REASON)
        except OSError as error:
            return f"the mark cannot be read: {error}"
        return (line.decode(errors="replace").splitlines() or [""])[0]

    def evaluation(self, split: str) -> pathlib.Path:
        """Returns the folder of the evaluation of `split`."""
        return self.path / "evaluation" / split

    def mark_done(self) -> None:
        """Writes `DONE` and removes an earlier `FAILED`."""
        files.write_text(self.path / "DONE", "")
        (self.path / "FAILED").unlink(missing_ok=True)

    def mark_failed(self, error: Exception) -> None:
        """Writes `FAILED` with the reason; the run can be resumed all the same.

        Where the mark cannot be written either, that is logged: the reason is what counts.
        """
        reason = str(error)
        if not isinstance(error, UserError):  # a bug: its traceback is worth keeping
            first = f"{type(error).__name__}: {error}".splitlines()[0]
            reason = "\n".join([first, *traceback.format_exception(error)])
        try:
            files.write_text(self.path / "FAILED", reason.rstrip("\n") + "\n")
        except CannotWrite as unwritten:
            log.warning("the failure is not marked: %s", unwritten)

    def clear_marks(self) -> None:
        """Removes `DONE` and `FAILED`: the run is under way."""
        (self.path / "DONE").unlink(missing_ok=True)
        (self.path / "FAILED").unlink(missing_ok=True)

    def write_config(self, settings: dict) -> None:
        """Writes the run's settings as plain JSON."""
        files.write_json(self.config_file, settings)

    def read_config(self) -> dict:
        """Reads the run's settings.

        Raises:
            UserError: The folder holds no run.
        """
        if not self.config_file.exists():
            raise UserError(
                "no run here: config.json is missing",
                where=self.path,
                received="a folder without it" if self.path.is_dir() else "no such folder",
                expected="a folder that `lrcn train` wrote",
                remedy="Give the run directory, the one that holds checkpoints/.",
            )
        return read_json(self.config_file)

    def read_settings(self) -> settings_lib.TrainSettings:
        """Reads the run's settings as `train` has them, with keys that came later.

        Raises:
            UserError: The folder holds no run, or one of another version.
        """
        plain = {key: value for key, value in self.read_config().items() if key not in NOT_SETTINGS}
        try:
            return config.from_plain("train", plain)
        except UserError as error:
            raise error.but(where=f"{self.config_file}: {error.where}") from error

    def write_shown(self, shown: Shown) -> None:
        """Adds to `config.json` how items are shown to the network."""
        known = self.read_config() if self.config_file.exists() else {}
        self.write_config({**known, "shown": dataclasses.asdict(shown)})

    def read_shown(self) -> Shown:
        """Reads how items were shown to the network.

        Raises:
            UserError: The run never got to its data.
        """
        stored = self.read_config().get("shown")
        if stored is None:
            raise UserError(
                "the run never got to its data",
                where=self.config_file,
                received="no key `shown`",
                expected="a run that trained at least an epoch",
                remedy="It never got to an epoch: repeat the command that started it",
            )
        try:
            shown = Shown(**stored)
            _require_usable(shown)
        except (TypeError, ValueError) as error:
            raise UserError(
                "how items were shown to the network cannot be read",
                where=self.config_file,
                received=f"{stored!r:.80}",
                expected="the key `shown` as `lrcn train` wrote it",
                remedy="The file was changed by hand or by another program: restore it",
            ) from error
        return shown

    def write_labels(self, names: tuple[str, ...]) -> None:
        """Writes a class name a line."""
        files.write_text(self.labels_file, "".join(f"{name}\n" for name in names))

    def read_labels(self, *, limits: Limits = Limits()) -> tuple[str, ...]:
        """Reads the class names in the order of the model's outputs."""
        try:
            data = bounded.read(self.labels_file, what="the names of the classes", limits=limits)
            return tuple(lines.of(data.decode()))
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                "the names of the classes cannot be read",
                where=self.labels_file,
                received=error,
                expected="a class name a line, UTF-8",
                remedy="The file was changed by hand or by another program: restore it",
            ) from error

    def write_metrics(self, metrics: dict) -> None:
        """Writes the metrics of the best checkpoint on the validation split."""
        files.write_json(self.metrics_file, metrics)

    def read_metrics(self) -> dict:
        """Reads the metrics of the best checkpoint on the validation split."""
        return read_json(self.metrics_file)

    def require_checkpoint(self) -> None:
        """Raises a `UserError` if there is nothing to go on from."""
        if not (self.last.exists() or self.previous.exists()):
            raise UserError(
                "the run has no checkpoint to go on from",
                where="resume",
                received=self.path,
                expected="a run directory with checkpoints/last.keras",
                remedy="Start it anew: leave resume out, with the run's own overrides",
            )

    def copy_checkpoints(self, target: RunDirectory) -> None:
        """Copies the checkpoints into another run, the last one last.

        The one before the last is copied, too: the last one may turn out to be broken.

        Raises:
            UserError: There is nothing to go on from.
        """
        self.require_checkpoint()
        for name in ("best", "previous", "last"):
            source = getattr(self, name)
            if source.exists():
                with files.atomic_path(getattr(target, name)) as temporary:
                    shutil.copyfile(source, temporary)

    def checkpoint(self) -> pathlib.Path:
        """Returns `best.keras`, the one to evaluate and predict with.

        Raises:
            UserError: The run has no checkpoint yet.
        """
        if not self.path.is_dir():
            raise UserError(
                "no such run directory",
                where="run",
                received=self.path,
                expected="an existing folder",
                remedy="Give the folder that `lrcn train` printed",
            )
        if self.best.exists():
            return self.best
        if self.failure is None:
            self.read_config()  # tells if it is no run at all
        raise UserError(
            "the run has no checkpoint",
            where=self.path,
            received="no checkpoints/best.keras",
            expected="a run that finished an epoch",
            remedy="It never finished an epoch: repeat the command that started it",
        )


def _require_usable(shown: Shown) -> None:
    """Raises a `ValueError` or `TypeError` for values of another kind than a training writes."""
    if shown.mode is not None:
        clips.ClipMode(**shown.mode)
    modality.Modality(shown.modality, shown.flow_method)
    sizes = [shown.frame_step, shown.quality, *(shown.frame_shape or (1, 1, 3))]
    if not all(type(size) is int and 0 < size < 2**31 for size in sizes) or len(sizes) != 5:
        raise ValueError(f"sizes {sizes!s:.100}")
    if shown.fps is not None and not (type(shown.fps) in (int, float) and 0 < shown.fps < 1e9):
        raise ValueError(f"fps {shown.fps!s:.100}")


def read_json(path: str | os.PathLike, *, limits: Limits = Limits()) -> dict:
    """Reads a JSON file of ours.

    Args:
        path: The file.
        limits: The most that it may ask for.

    Raises:
        UserError: The file cannot be read, is no valid JSON or not one of keys and values.
    """
    where = str(path)
    try:
        values = json.loads(bounded.read(path, what="a file of a run", limits=limits).decode())
        if isinstance(values, dict):
            return values
        reason = f"a {type(values).__name__}"
    except json.JSONDecodeError as error:
        where, reason = f"{path}:{error.lineno}", error.msg
    except UserError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        reason = lines.reason(error)
    raise UserError(
        "not valid JSON",
        where=where,
        received=reason,
        expected="the JSON that lrcn wrote",
        remedy="The file was changed by hand or by another program: restore it",
    )
