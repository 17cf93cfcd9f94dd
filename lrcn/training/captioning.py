"""Learning to describe images and videos."""

from __future__ import annotations

import logging
import pathlib

import keras

from lrcn import errors, runs
from lrcn import settings as settings_lib
from lrcn.data import references, sentences, sharing, text, word_vectors
from lrcn.data.limits import Limits
from lrcn.models import description, networks, wording
from lrcn.scoring import captions, describer, losses
from lrcn.training import assembly, callbacks, feeds, interruption, shared

log = logging.getLogger(__name__)


class Captioning:
    """Learns to describe images or videos; see `tasks.Task`.

    An epoch shows every caption of every item once, with a clip of the item.

    Args:
        settings: The settings of the training.
        paths: Records by split.

    Raises:
        UserError: An item has no caption, or the vocabulary cannot be had.
    """

    def __init__(self, settings: settings_lib.TrainSettings, paths: dict[str, pathlib.Path]):
        self._settings = settings
        self.data = feeds.open_data(paths, limits=settings.limits)
        self._check_type()
        self._references = {
            split: references.of_records(record_set)
            for split, record_set in self.data.splits.items()
        }
        self.vocabulary = make_vocabulary(
            settings.vocabulary, self._references["train"], limits=settings.limits
        )

    def build(self) -> keras.Model:
        """Returns a new network from `frames` and `words` to the `logits` of the next words."""
        workflow = self._settings.workflow
        backbone = assembly.build_backbone(
            self._settings.backbone,
            workflow.name,
            modality=self.data.train.metadata.modality,
            limits=self._settings.limits,
        )
        network = description.build(
            backbone,
            design_of(workflow, pooling=self._settings.pooling.frames),
            vocabulary_size=self.vocabulary.size,
            tokens=self.vocabulary.tokens,
            max_length=self.vocabulary.max_length,
            dropout_in=workflow.dropout_in,
            dropout_out=workflow.dropout_out,
            initializer=workflow.initializer,
            trainable_words=workflow.trainable_words,
        )
        if workflow.word_vectors:
            vectors, missing = word_vectors.read_vectors(
                workflow.word_vectors,
                self.vocabulary,
                seed=self._settings.seed,
                width=workflow.embedding,
                limits=self._settings.limits,
            )
            wording.set_word_vectors(network, vectors)
            log.info("word vectors: %d words have none: %s", len(missing), ", ".join(missing))
        return network

    def check(self, network: keras.Model, run: runs.RunDirectory) -> None:
        """Refuses a network of another vocabulary."""
        difference = text.differences(wording.vocabulary_of(network), self.vocabulary)
        if difference:
            raise errors.UserError(
                "the run was trained with another vocabulary",
                where=run.last,
                received=f"a vocabulary that differs from its own: {difference}",
                expected="the captions and vocabulary keys that it was started with",
                remedy="Start a new run, with init= to begin with these weights",
            )

    def feed(
        self,
        network: keras.Model,
        *,
        first_epoch: int,
        first_step: int = 0,
        share: sharing.Share | None = None,
    ) -> feeds.Feed:
        """Returns what a network is trained and validated on.

        Where the frames of videos are decoded, a batch is of clips with all their captions, so that
        the CNN sees each clip once. Images and stored features cost little: their batches are of
        captions of any items, which mixes them better.
        """
        whole = self._settings.decodes_frames and not self._settings.describes_images
        lesson = self._whole_lesson if whole else self._lesson
        return feeds.make_feed(
            network,
            self._settings,
            self.data,
            lesson=lesson("train"),
            val_lesson=lesson("val") if self.data.val else None,
            first_epoch=first_epoch,
            first_step=first_step,
            share=share,
            model=description.with_owners(network) if whole else None,
        )

    def compile(self, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
        """Compiles a network or its head with an optimizer, which keeps its state."""
        # Without jit: it brings nothing on CPU and compiles anew for each length of captions.
        own = self.objective()
        model.compile(optimizer=optimizer, loss={own.output: own.loss}, jit_compile=False)

    def objective(self) -> shared.Objective:
        """Returns the mean cross-entropy over words."""
        return shared.Objective("logits", losses.next_word())

    def validation(
        self, network: keras.Model, feed: feeds.Feed, *, watch: interruption.Watch
    ) -> keras.callbacks.Callback:
        """Returns what describes the validation items after each epoch."""
        return callbacks.CaptionValidation(
            networks.head(network),
            feed.validation,
            pairs=feed.validation_pairs,
            vocabulary=self.vocabulary,
            references=self._references["val"],
            training=captions.known(c for own in self._references["train"] for c in own),
            find=describer.searcher(
                **settings_lib.search_options(self._settings.search, self.vocabulary.max_length),
                seed=self._settings.seed,
            ),
            watch=watch,
        )

    def write(self, run: runs.RunDirectory) -> None:
        """Writes `vocabulary.json`."""
        text.write_vocabulary(run.vocabulary_file, self.vocabulary)

    def measured(self, metrics: dict) -> dict:
        """Returns the metrics, and warns of what makes them worth little."""
        for remark in captions.remarks(metrics) if metrics.get("items") else ():
            log.warning("train: %s", remark)
        return metrics

    def _lesson(self, split: str) -> feeds.Lesson:
        """Returns pairs of a clip and a caption, which are mixed as a whole."""
        own = self._references[split]

        def finish(clips, *learnt):
            key = "frames" if clips.shape.rank == 5 else "features"
            words, targets, mask = references.trimmed(*learnt)
            return {key: clips, "words": words}, {"logits": targets}, {"logits": mask}

        words = references.Words(own, self.vocabulary)
        return feeds.Lesson(words, finish, references.counts(own))

    def _whole_lesson(self, split: str) -> feeds.Lesson:
        """Returns clips with all their captions."""
        known = references.Words(self._references[split], self.vocabulary)

        def finish(clips, item):
            places, owner = known.of_items(item)
            words, targets, mask = references.trimmed(*known.of(places))
            inputs = {"frames": clips, "words": words, "owner": owner}
            return inputs, {"logits": targets}, {"logits": mask}

        return feeds.Lesson(references.Itself(), finish)

    def _check_type(self) -> None:
        for split, record_set in self.data.splits.items():
            if self._settings.describes_images and record_set.metadata.type != "image":
                raise errors.UserError(
                    "the workflow describes images",
                    where=f"dataset.{split}",
                    received=f"{record_set.path}, which holds videos",
                    expected="records of images",
                    remedy="Choose workflow=videodesc_pooling or workflow=videodesc_encdec",
                )


def make_vocabulary(
    settings: settings_lib.Vocabulary,
    training: references.References,
    *,
    limits: Limits = Limits(),
) -> text.Vocabulary:
    """Returns the vocabulary of a training: that of a file, or counted in the training split.

    Args:
        settings: Keys of `vocabulary`.
        training: The captions of each training item.
        limits: Bound the files that the keys name.

    Raises:
        UserError: A file is no vocabulary or no text, or no word is frequent enough.
    """
    if settings.file is not None:
        made = text.read_vocabulary(settings.file, limits=limits)
    else:
        extra = (
            line
            for file in settings.extra_text
            for line in sentences.read_sentences(file, limits=limits)
        )
        made = text.Vocabulary.build(
            (caption for own in training for caption in own),
            min_count=settings.min_count,
            max_size=settings.max_size,
            max_length=settings.max_length,
            extra_text=extra,
        )
    words = [text.tokenise(caption) for own in training for caption in own]
    known = set(made.tokens)
    log.info(
        "vocabulary: %d words; %.1f %% of all in the captions are unknown to it; "
        "%d of %d captions are longer than %d words and cut",
        made.size - len(text.SPECIAL),
        100 * sum(word not in known for own in words for word in own) / sum(map(len, words)),
        sum(len(own) > made.max_length for own in words),
        len(words),
        made.max_length,
    )
    return made


def design_of(workflow: settings_lib.DescriptionWorkflow, *, pooling: str) -> description.Design:
    """Returns how a workflow conditions words on frames.

    Args:
        workflow: Keys of the workflow.
        pooling: "avg", "max" or "last" over frames, where they become one vector.
    """
    return description.Design(
        conditioning=getattr(workflow, "conditioning", "step"),
        layers=workflow.layers,
        units=workflow.units,
        embedding=workflow.embedding,
        factored=getattr(workflow, "factored", False),
        pooling=pooling,
    )
