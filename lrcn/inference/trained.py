"""A trained run, opened to be used: `lrcn.load(run)`."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import keras

from lrcn import runs
from lrcn import settings as settings_lib
from lrcn.data import augment, epochs, modality, records, text, video
from lrcn.data import clips as clips_lib
from lrcn.data.limits import Limits
from lrcn.errors import UserError
from lrcn.inference import answers
from lrcn.inference import predict as predict_lib
from lrcn.models import activity, backbones, networks, weights, wording
from lrcn.scoring import describer

CHECKPOINTS = ("best", "last")


@dataclasses.dataclass(frozen=True)
class Trained:
    """A run's model with all that is needed to use it.

    Attributes:
        run: The run directory.
        file: The checkpoint that the model is of.
        model: Maps clips [batch, time, height, width, 3] uint8 to `logits` [batch, time, classes]
            and `probabilities` [batch, classes]; or a dict of `frames` and `words` to the `logits`
            [batch, length, vocabulary] of the words that follow.
        labels: Names of the classes in the order of the outputs; none if the model describes.
        vocabulary: The words of a model that describes, else None.
        contract: The input contract: height, width, channel_order, scale, mean, std.
        settings: The settings of the training.
        shown: How items were shown to the network.
    """

    run: runs.RunDirectory
    file: pathlib.Path
    model: keras.Model = dataclasses.field(repr=False)
    labels: tuple[str, ...]
    vocabulary: text.Vocabulary | None = dataclasses.field(repr=False)
    contract: dict[str, Any] = dataclasses.field(repr=False)
    settings: settings_lib.TrainSettings = dataclasses.field(repr=False)
    shown: runs.Shown = dataclasses.field(repr=False)

    def predict(
        self,
        path: str | os.PathLike | Sequence[str],
        *,
        top_k: int = 5,
        overlay: str | None = None,
        limits: Limits = Limits(),
    ) -> list[dict[str, Any]]:
        """Returns what `lrcn predict` prints: a dict for each video, image or folder of frames.

        Args:
            path: A path, a glob, or several of them.
            top_k: Labels in `top`.
            overlay: An mp4 to draw the label or caption of the only input on.
            limits: The most that an input may ask for.

        Raises:
            UserError: An input does not exist or cannot be read.
        """
        predictor = self.predictor(top_k=top_k, limits=limits)
        return list(predictor.predict(path, overlay_path=overlay))

    def predictor(
        self,
        *,
        clipframe_mode: settings_lib.ClipframeMode | None = None,
        pooling: settings_lib.Pooling | None = None,
        view: augment.View | None = None,
        search: settings_lib.Search | None = None,
        top_k: int = 5,
        limits: Limits = Limits(),
        **options: Any,
    ) -> predict_lib.Predictor:
        """Returns the predictor of this run; what is not given is as in the run.

        Args:
            clipframe_mode: How windows are cut.
            pooling: Of frames and of windows.
            view: What part of a frame is seen.
            search: How captions are found.
            top_k: Labels in `top`.
            limits: The most that an input may ask for.
            **options: Further fields of the predictor, such as `batch_size`.
        """
        reading = video.Reading(
            tuple(self.shown.frame_shape) if self.shown.frame_shape else None,
            options.pop("frame_format", "jpg"),
            self.shown.frame_step,
            self.shown.fps,
            self.shown.quality,
            modality.Modality(self.shown.modality, self.shown.flow_method),
            limits,
        )
        options = {"batch_size": self.settings.batch_size, "seed": self.settings.seed, **options}
        return predict_lib.Predictor(
            backbone=networks.backbone(self.model),
            answer=self._answer(pooling, search, top_k, options["seed"]),
            mode=self.mode(None, clipframe_mode),
            view=view or self.view(None),
            reading=reading,
            of_images=self.settings.describes_images,
            **options,
        )

    def _answer(
        self,
        pooling: settings_lib.Pooling | None,
        search: settings_lib.Search | None,
        top_k: int,
        seed: int,
    ) -> answers.Answer:
        head = networks.head(self.model)
        if self.vocabulary is not None:
            refuse_pooling(pooling)
            return answers.Captions(
                describer.Describer(head, self.find(search, seed=seed)), self.vocabulary
            )
        refuse_search(search)
        frames, clips = self.pooling(pooling)
        return answers.Labels(head, self.labels, frames, clips, top_k)

    def find(self, given: settings_lib.Search | None, *, seed: int) -> Callable:
        """Returns how captions are found; None and `auto` mean as in the run."""
        return describer.searcher(**self.search_options(given), seed=seed)

    def search_options(self, given: settings_lib.Search | None) -> dict[str, Any]:
        """Returns the keys of a search as plain values; None and `auto` mean as in the run."""
        if given is None or isinstance(given, settings_lib.SearchAsInRun):
            given = self.settings.search
        return settings_lib.search_options(given, self.vocabulary.max_length)

    def pooling(self, given: settings_lib.Pooling | None) -> tuple[str, str]:
        """Returns the pooling of frames and of clips; None and its fields mean as in the run."""
        own = self.settings.pooling
        if given is None:
            return own.frames, own.clips
        return given.frames or own.frames, given.clips or own.clips

    def view(self, given: settings_lib.Augment | None) -> augment.View:
        """Returns what part of a frame is seen in evaluation; None means as in the run."""
        crop = (given.evaluate if given else None) or self.settings.augment.evaluate
        return augment.View(
            (self.contract["height"], self.contract["width"]),
            crop,
            modality=self.contract["modality"],
        )

    def mode(
        self,
        record_set: records.RecordSet | None,
        given: settings_lib.ClipframeMode | None,
    ) -> clips_lib.ClipMode | None:
        """Returns how clips are chosen from records, or from a new video if there are none.

        Args:
            record_set: The records; None for media.
            given: What was asked for; `auto` and None mean as in the run.

        Returns:
            The mode, None for the records' own clips.
        """
        trained = clips_lib.ClipMode(**self.shown.mode) if self.shown.mode else None
        asked = dataclasses.asdict(given) if given else {}
        asked = {key: value for key, value in asked.items() if value is not None}
        if asked.get("name", "auto") != "auto":
            return clips_lib.ClipMode(**asked)
        asked.pop("name", None)
        mode = epochs.evaluation_mode(record_set, trained)
        if asked and mode is None:
            mode = record_set.metadata.clipframe_mode
        alone = "num_frames_per_clip" in asked and "clip_offset_or_num" not in asked
        if alone and mode.name == "iterative":
            return clips_lib.evaluation_mode(asked["num_frames_per_clip"])
        return dataclasses.replace(mode, **asked) if asked else mode


def load(
    run: str | os.PathLike,
    *,
    checkpoint: str = "best",
    limits: Limits = Limits(),
) -> Trained:
    """Opens a trained run.

    Args:
        run: The run directory.
        checkpoint: "best" by the monitored value, or "last".
        limits: The most that the run's model may ask for.

    Raises:
        UserError: There is no such run, or it has no checkpoint.
    """
    directory = runs.RunDirectory(pathlib.Path(run).absolute())
    file = directory.checkpoint() if checkpoint == "best" else directory.last
    if not file.exists():
        directory.checkpoint()  # tells if there is no run, or no checkpoint at all
        raise UserError(
            "the run has no such checkpoint",
            where=file,
            received="no such file",
            expected=f"checkpoint={checkpoint} of an epoch that ended",
            remedy="Use checkpoint=best, which is there",
        )
    settings = directory.read_settings()
    model = weights.open_model(file, limits=limits)
    try:
        describes = wording.is_one(model)
        told = {
            "labels": () if describes else activity.labels(model),
            "vocabulary": wording.vocabulary_of(model) if describes else None,
            "contract": backbones.contract_of(model),
        }
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            "the model is no network of lrcn",
            where=file,
            received=f"{type(error).__name__}: {error!s:.200}",
            expected="a .keras file that `lrcn train` wrote",
            remedy="Give the run as it was trained, or train anew",
        ) from error
    return Trained(
        run=directory,
        file=file,
        model=model,
        **told,
        settings=settings,
        shown=directory.read_shown(),
    )


def refuse_search(search: settings_lib.Search | None) -> None:
    """Raises a `UserError` if a way to find captions is given to a run that tells classes."""
    if search is not None and not isinstance(search, settings_lib.SearchAsInRun):
        raise UserError(
            "the run tells classes, so no caption is searched for",
            where="search",
            received=search.name,
            expected="search=auto",
            remedy="Leave search out, or give a run of a workflow that describes",
        )


def refuse_pooling(pooling: settings_lib.Pooling | None) -> None:
    """Raises a `UserError` if pooling is given to a run that describes, which has its own."""
    if pooling is not None and (pooling.frames or pooling.clips):
        raise UserError(
            "the run describes, and how it pools frames is part of its network",
            where="pooling",
            received=f"frames={pooling.frames}, clips={pooling.clips}",
            expected="pooling=auto",
            remedy="Leave pooling out; of several clips the likeliest caption is taken",
        )
