"""Which features of a TensorFlow Datasets data set hold its frames, labels and captions.

`tensorflow_datasets` is imported only when features are looked at.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from lrcn.errors import UserError

log = logging.getLogger(__name__)

# What texts that describe an item are called, and the ends of the names of those that never do.
_CAPTIONS = (
    *("captions", "caption", "text", "texts"),
    *("sentences", "sentence", "descriptions", "description"),
)
_NAME = re.compile(r"(^|[^a-z])(ids?|key|hash|labels?|ur[il]|path|file|(file|u|user)?name)$", re.I)


@dataclasses.dataclass(frozen=True)
class Fields:
    """The features that are used.

    Attributes:
        frames: Key of the video or image.
        is_video: Which of the two it is.
        label: Key of the label or labels, if there are any.
        captions: Keys that lead to the text of captions, if there is one.
        id: Key of the id, if there is one.
        label_names: Names of the classes, empty if there are none.
    """

    frames: str
    is_video: bool
    label: str | None
    captions: tuple[str, ...] | None
    id: str | None
    label_names: tuple[str, ...]


def chosen(features: Any, name: str) -> Fields:
    """Chooses the features of frames, label, captions and id.

    Args:
        features: Those of the data set.
        name: The data set, for messages.

    Raises:
        UserError: There are no frames, or neither a label nor captions.
    """
    from tensorflow_datasets import features as kinds

    by_key = dict(features.items()) if hasattr(features, "items") else {}
    frames = _first(by_key, kinds.Video, ("video",)) or _first(by_key, kinds.Image, ("image",))
    is_class = {key: _class_label(feature, kinds) for key, feature in by_key.items()}
    named = [key for key, feature in is_class.items() if feature]
    label = _preferred(named, ("label", "labels"))
    if label is None:
        numbers = [key for key, feature in by_key.items() if _is_integer(feature, kinds)]
        label = next((key for key in ("label", "labels") if key in numbers), None)
    texts = [keys for key, feature in by_key.items() for keys in _texts_of(feature, kinds, key)]
    captions = _named_captions([keys for keys in texts if label is None or keys[0] in _CAPTIONS])
    if frames is None or (label is None and captions is None):
        raise UserError(
            "the data set has no video or image, or neither label nor captions",
            where="dataset.name",
            received=f"{name} with {_listed(by_key)}",
            expected="a Video or Image feature, and a ClassLabel or a text called captions",
            remedy="Choose another data set, or write its items to files and use dataset=lists",
        )
    if captions and captions[0] not in _CAPTIONS:
        log.info("data: %s of %s is taken for captions", ".".join(captions), name)
    names = () if label is None or not is_class.get(label) else _names(is_class[label])
    has_id = "id" in by_key and _is_text(by_key["id"], kinds)
    return Fields(
        frames=frames,
        is_video=isinstance(by_key[frames], kinds.Video),
        label=label,
        captions=captions,
        id="id" if has_id else None,
        label_names=names,
    )


def _listed(by_key: dict[str, Any]) -> str:
    return ", ".join(f"{key} ({type(feature).__name__})" for key, feature in by_key.items())


def _first(by_key: dict[str, Any], kind: type, preferred: tuple[str, ...]) -> str | None:
    return _preferred(
        [key for key, feature in by_key.items() if isinstance(feature, kind)], preferred
    )


def _preferred(keys: list[str], preferred: tuple[str, ...]) -> str | None:
    return next((key for key in preferred if key in keys), keys[0] if keys else None)


def _class_label(feature: Any, kinds: Any) -> Any:
    """Returns the `ClassLabel` that a feature is or is a sequence of, else None."""
    inner = getattr(feature, "feature", feature)
    return inner if isinstance(inner, kinds.ClassLabel) else None


def _is_integer(feature: Any, kinds: Any) -> bool:
    """Whether a feature is integers or a sequence of them."""
    inner = getattr(feature, "feature", feature)
    return isinstance(inner, kinds.Tensor) and np.issubdtype(inner.np_dtype, np.integer)


def _texts_of(feature: Any, kinds: Any, *keys: str) -> Iterator[tuple[str, ...]]:
    """Yields the keys that lead to each text in a feature, `keys` first."""
    while isinstance(feature, kinds.Sequence):
        feature = feature.feature
    if isinstance(feature, kinds.FeaturesDict):
        for key, inner in feature.items():
            yield from _texts_of(inner, kinds, *keys, key)
    elif _is_text(feature, kinds):
        yield keys


def _is_text(feature: Any, kinds: Any) -> bool:
    return isinstance(feature, kinds.Tensor) and feature.np_dtype == np.object_


def _named_captions(texts: list[tuple[str, ...]], depth: int = 0) -> tuple[str, ...] | None:
    """Returns the keys of the captions: by their name from `depth` on, or the only ones left."""
    for name in _CAPTIONS:
        named = [keys for keys in texts if keys[depth : depth + 1] == (name,)]
        found = _named_captions(named, depth + 1) if named else None
        if found:
            return found
    left = [keys for keys in texts if not _NAME.search(keys[-1])]
    return left[0] if len(left) == 1 else None


def _names(label: Any) -> tuple[str, ...]:
    return tuple(label.names) if label.num_classes else ()
