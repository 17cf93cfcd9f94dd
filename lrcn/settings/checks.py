"""Checks of settings that depend on each other, and what is filled in where nothing was given."""

from __future__ import annotations

import dataclasses
from typing import Any

from lrcn.errors import UsageError, UserError
from lrcn.settings import data, networks, strategies, verbs

_CLIPS, _CAPTIONS = 8, 32  # in a batch
# Of moving_shapes: a caption tells the outline, too, which takes more examples than the motion.
_VIDEOS_TO_DESCRIBE = 2000
_RATE, _RATE_WITH_CNN = 0.001, 0.002  # the latter of captions where the CNN is trained, too
# Before an LSTM, where the CNN is trained and where it is frozen. Frozen features are many and fit
# small data by heart (the paper drops .9 of 4,096; .8 of 768 did better on held-out groups); a CNN
# that is still to learn needs what it sees.
_DROPOUT, _DROPOUT_FROZEN = 0.2, 0.8
_DROPOUT_OF_CAPTIONS, _DROPOUT_OF_CAPTIONS_FROZEN = 0.0, 0.3


def resolved(settings: Any) -> Any:
    """Returns settings with the values that depend on the workflow where none were given."""
    if isinstance(settings, verbs.BrowseSettings):
        own = {"dataset": _dataset(settings), "modality": _modality(settings)}
        return dataclasses.replace(settings, **own)
    if not isinstance(settings, verbs.TrainSettings):
        return settings
    of_captions = settings.describes_images or (settings.describes and not settings.decodes_frames)
    batch_size = settings.batch_size or (_CAPTIONS if of_captions else _CLIPS)
    callbacks = settings.callbacks
    if callbacks.monitor is None:
        callbacks = dataclasses.replace(callbacks, monitor=settings.monitors[0])
    workflow = settings.workflow
    if getattr(workflow, "dropout_in", 0.0) is None:
        workflow = dataclasses.replace(workflow, dropout_in=_dropout_in(settings))
    optimizer, schedule = settings.optimizer, settings.schedule
    if optimizer.learning_rate is None:
        whole = settings.describes and settings.trains_backbone
        rate = _RATE_WITH_CNN if whole else _RATE
        optimizer = dataclasses.replace(optimizer, learning_rate=rate)
    if schedule.name == "auto":
        name = "cosine" if settings.describes else "constant"
        schedule = dataclasses.replace(schedule, name=name)
    return dataclasses.replace(
        settings,
        workflow=workflow,
        batch_size=batch_size,
        callbacks=callbacks,
        dataset=_dataset(settings),
        modality=_modality(settings),
        optimizer=optimizer,
        schedule=schedule,
    )


def _dataset(settings: verbs.TrainSettings | verbs.BrowseSettings) -> data.Dataset:
    """Returns the data set; what is rendered goes by what is to be learnt of it."""
    dataset = settings.dataset
    if not isinstance(dataset, data.MovingShapes):
        return dataset
    kind, train = dataset.kind, dataset.train
    if kind == "auto":
        kind = "stills" if settings.describes_images else "motion"
    if train is None and kind == "motion" and settings.describes:
        train = _VIDEOS_TO_DESCRIBE
    return dataclasses.replace(dataset, kind=kind, train=train)


def _modality(settings: verbs.TrainSettings | verbs.BrowseSettings) -> data.Modality:
    """Returns the modality, which only records that are there already can decide themselves."""
    if settings.modality.name == "auto" and not isinstance(settings.dataset, data.Records):
        return data.Modality("rgb")
    return settings.modality


def _dropout_in(settings: verbs.TrainSettings) -> float:
    if settings.describes:
        return _DROPOUT_OF_CAPTIONS if settings.trains_backbone else _DROPOUT_OF_CAPTIONS_FROZEN
    return _DROPOUT if settings.trains_backbone else _DROPOUT_FROZEN


def misfit(key: str, value: Any, expected: str, *, good: object = None) -> UserError:
    """Returns the error for a value that a key cannot have; `good` is one that it can have."""
    remedy = f"Correct {key}" if good is None else f"Set {key}={good}"
    return UserError(
        "not a value of this key",
        where=key,
        received=value,
        expected=expected,
        remedy=f"{remedy}, or leave it out for its default",
    )


def check(settings: Any) -> None:
    """Checks values that depend on each other.

    Raises:
        UserError: Two of them do not fit together.
    """
    shape = getattr(settings, "raw_image_shape", None)
    if shape is not None and (len(shape) != 3 or shape[2] != 3 or min(shape) < 1):
        expected = "[height, width, 3] | null"
        raise misfit("raw_image_shape", list(shape), expected, good="[240,320,3]")
    backbone = getattr(settings, "backbone", None)
    known_size = backbone is not None and not isinstance(backbone, networks.BackboneAsInFile)
    if known_size and len(backbone.image_size) != 2:
        given = list(backbone.image_size)
        raise misfit("backbone.image_size", given, "[height, width]", good="[224,224]")
    if isinstance(settings, verbs.TrainSettings | verbs.BrowseSettings):
        _check_shown(settings)
    if isinstance(settings, verbs.TrainSettings):
        _check_train(settings)
    if isinstance(settings, verbs.ImportSettings):
        _check_import(settings)
    if isinstance(settings, verbs.SerializeSettings) and settings.dataset.source == "records":
        raise UserError(
            "records are serialized already",
            where="dataset",
            received="records",
            expected="a data set of videos or images, such as lists or folder",
            remedy="Use them as they are: `lrcn train dataset=records dataset.train=FILE`",
        )
    if isinstance(settings, verbs.SerializeSettings):
        _check_shards(settings)
    own = (verbs.SerializeSettings, verbs.CheckSettings)
    if isinstance(settings, own) and settings.modality.name == "auto":
        raise UsageError(
            "there are no records yet that could tell",
            where="modality",
            received="auto",
            expected="rgb | flow | difference",
            remedy="Leave modality out for rgb",
        )
    dataset = getattr(settings, "dataset", None)
    known = verbs.EvaluateSettings | verbs.RetrieveSettings
    is_told = isinstance(settings, known) or getattr(settings, "merge", False)
    if isinstance(dataset, data.AsInRun) and not is_told:
        raise UsageError(
            "only evaluate and retrieve know the data set of a run",
            where="dataset",
            received="auto",
            expected="a data set of its own, such as lists or records",
            remedy="Name it: dataset=records dataset.train=FILE, or dataset=lists with its lists",
        )


def _check_shards(settings: verbs.SerializeSettings) -> None:
    """Checks what one process is to make of an array of them."""
    index, count = settings.shard_index, settings.shard_count
    if settings.merge:
        return
    if (index is None) != (count is None):
        given, lacking = ("shard_count", "shard_index")[:: 1 if index is None else -1]
        raise UsageError(
            f"{given} without {lacking}",
            where=lacking,
            received="null",
            expected="both, or none of them",
            remedy="Give each process its shard_index, from 0, and all of them one shard_count; "
            "merge=true makes records of the shards",
        )
    if count is None:
        return
    if index >= count:
        raise UserError(
            "no such shard",
            where="shard_index",
            received=index,
            expected=f"0 to {count - 1} with shard_count={count}",
            remedy="Number the processes from 0, or raise shard_count for all of them",
        )
    if settings.shards != 1:
        raise UsageError(
            "shards beside shard_count",
            where="shards",
            received=settings.shards,
            expected=f"shard_count alone, which makes {count} files of each split",
            remedy="Leave shards out, or shard_index and shard_count to make all in one process",
        )
    if not settings.do_serialize:
        raise UsageError(
            "no records are to be written, and so no shards",
            where="do_serialize",
            received=False,
            expected="true with shard_index",
            remedy="Leave shard_index and shard_count out to count items or list them in order",
        )


def _check_import(settings: verbs.ImportSettings) -> None:
    if settings.mean is not None and len(settings.mean) != 3:
        raise misfit("mean", list(settings.mean), "three numbers | null", good="[128,128,128]")
    for key in ("weights", "trainable"):
        given = getattr(settings.backbone, key, None)
        if given is not None:
            raise UserError(
                "an import has no use for it",
                where=f"backbone.{key}",
                received=given,
                expected="null: the weights are those of file, and training comes later",
                remedy=f"Leave backbone.{key} out",
            )


def _check_shown(settings: verbs.TrainSettings | verbs.BrowseSettings) -> None:
    """Refuses what leaves open what a network is shown and how it pools that."""
    if settings.clipframe_mode.name == "none":
        raise UserError(
            "training needs clips",
            where="clipframe_mode",
            received="none",
            expected="auto | rand_frames | rand_clips | iterative",
            remedy="Leave clipframe_mode out for the default, auto",
        )
    for group, others in (
        ("pooling", "avg | last | max"),
        ("augment", "none | crop_mirror | ten_crop"),
    ):
        own = getattr(settings, group, None)
        if own is not None and None in dataclasses.asdict(own).values():
            raise UsageError(
                "only evaluate and predict take it from a run",
                where=group,
                received=f"{group}=auto",
                expected=others,
                remedy=f"Leave {group} out for the default of train",
            )


def _check_train(settings: verbs.TrainSettings) -> None:
    _check_task(settings)
    _check_strategy(settings)
    if settings.resume and settings.init:
        raise UserError(
            "a run is either continued or started from weights",
            where="init",
            received=f"resume={settings.resume} and init={settings.init}",
            expected="resume to continue it, or init for its weights alone",
            remedy="Give one of the two",
        )
    unknown = sorted(set(settings.evaluate) - {"train", "val", "test"})
    if unknown:
        raise misfit("evaluate", unknown, "[train, val, test] or some of them", good="[test]")


def _check_strategy(settings: verbs.TrainSettings) -> None:
    """Refuses what cannot be shared among devices or machines."""
    strategy = settings.strategy
    if isinstance(strategy, strategies.Mirrored) and settings.precision == "mixed_float16":
        raise UserError(
            "gradients that devices share are not scaled",
            where="precision",
            received="mixed_float16 with strategy=mirrored",
            expected="float32 | mixed_bfloat16",
            remedy="Set precision=mixed_bfloat16, which needs no scaling",
        )
    if isinstance(strategy, strategies.Hosts):
        _check_hosts(settings)
    decodes_videos = settings.decodes_frames and not settings.describes_images
    if not isinstance(strategy, strategies.Single) and settings.describes and decodes_videos:
        raise UserError(
            "the captions of a clip are not shared among devices",
            where="strategy",
            received=f"{strategy.name} with {settings.workflow.name} and a CNN that is trained",
            expected="captions of images, or of features of a frozen CNN",
            remedy="Set backbone.trainable=false with augment=none, or leave strategy out",
        )


def _check_hosts(settings: verbs.TrainSettings) -> None:
    if settings.describes:
        raise UserError(
            "captions are not learnt on several hosts",
            where="strategy",
            received=f"hosts with {settings.workflow.name}",
            expected="workflow=lstm | workflow=singleframe",
            remedy="Set strategy=mirrored for the GPUs of one machine, or leave strategy out",
        )
    if settings.evaluate:
        raise UserError(
            "a run of several hosts is evaluated by one process",
            where="evaluate",
            received=f"{', '.join(settings.evaluate)} with strategy=hosts",
            expected="[]",
            remedy="Leave evaluate out, and run `lrcn evaluate run=RUN` when the training is done",
        )


def _check_task(settings: verbs.TrainSettings) -> None:
    """Refuses what the workflow has no use for."""
    name = settings.workflow.name
    monitor = settings.callbacks.monitor
    if monitor not in (None, *settings.monitors):
        raise misfit("callbacks.monitor", monitor, " | ".join(settings.monitors))
    if isinstance(settings.search, networks.SearchAsInRun):
        raise UsageError(
            "only evaluate and predict take it from a run",
            where="search",
            received="search=auto",
            expected="greedy | beam | sample",
            remedy="Leave search out for the default of train",
        )
    if settings.describes:
        _check_description(settings)
        own = settings.vocabulary
        if own.file is not None and own != networks.Vocabulary(file=own.file):
            raise UserError(
                "a vocabulary is either read or counted",
                where="vocabulary.file",
                received=f"{own.file} with other keys of vocabulary",
                expected="the file alone, which holds its words and longest length",
                remedy="Leave vocabulary.file out to count words, or the other keys to read it",
            )
        if settings.class_weights:
            raise _no_use("class_weights", settings.class_weights, f"captions ({name})")
        return
    if settings.vocabulary != networks.Vocabulary():
        raise _no_use("vocabulary", "keys of its own", f"classes ({name})")
    if settings.search != networks.Beam():
        raise _no_use("search", settings.search.name, f"classes ({name})")


def _check_description(settings: verbs.TrainSettings) -> None:
    """Refuses a design that cannot be built before any data is read for it."""
    workflow, own = settings.workflow, settings.pooling
    conditioning = getattr(workflow, "conditioning", "step")
    if workflow.layers < 2:
        for key, needs_two in (("factored", "true"), ("conditioning", "stack")):
            if str(getattr(workflow, key, None)).lower() == needs_two:
                raise UserError(
                    "the design needs a second LSTM layer",
                    where="workflow.layers",
                    received=f"{workflow.layers} with workflow.{key}={needs_two}",
                    expected="2 or more",
                    remedy=f"Set workflow.layers=2, or leave workflow.{key} out",
                )
    if getattr(workflow, "factored", False) and conditioning != "step":
        raise UserError(
            "only a frame vector at every word can be factored",
            where="workflow.factored",
            received=f"true with workflow.conditioning={conditioning}",
            expected="false, or workflow.conditioning=step",
            remedy="Leave one of the two out",
        )
    if conditioning in ("encoder", "stack") and own.frames != "avg":
        raise _no_use("pooling", own.frames, "captions from frames in their order")
    if own.clips != own.frames and own.clips != "avg":
        raise _no_use("pooling.clips", own.clips, "captions of whole videos")


def _no_use(key: str, received: object, task: str) -> UserError:
    return UserError(
        "the workflow has no use for it",
        where=key,
        received=received,
        expected=f"nothing: this workflow learns {task}",
        remedy=f"Leave {key} out, or choose another workflow",
    )
