"""Retrieval by captions' log-probabilities: which caption belongs to an image, and the reverse.

A matrix [images, captions] has the log-probability of every caption for every image; `owner`
[captions] is the image (0..images - 1) that a caption was written for, one or more an image. The
matrix of a real test set is large, so it is worked through in blocks of rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from lrcn import errors
from lrcn.errors import UserError

PLACES = (1, 5, 10)  # the K of recall at K, as Donahue et al. 2015 report them

_BLOCK = 1 << 20  # numbers of a block; a few blocks are held at a time


def normalised(log_probabilities: ArrayLike) -> np.ndarray:
    """Returns log p(c|i) - log mean over images i' of p(c|i'), float64 [images, captions].

    A caption that is likely for any image, such as a short one, loses what that alone gives it
    (Donahue et al. 2015, section 5; the released code of their retrieval).

    Args:
        log_probabilities: [images, captions].

    Raises:
        UserError: It is no matrix of finite numbers.
    """
    values = _matrix(log_probabilities)
    highest = values.max(axis=0).astype(np.float64)
    total = np.zeros(values.shape[1])
    # Always row after row, so that captions with equal numbers keep equal scores.
    for rows in _blocks(values):
        total += np.exp(values[rows] - highest).sum(axis=0)
    return values - (highest + np.log(total / len(values)))


def ranks(scores: ArrayLike, owner: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places, from 1, at which what belongs together is found.

    Others with an equal score come first, so a score that tells nothing finds nothing.

    Args:
        scores: [images, captions], the higher the better.
        owner: [captions], the image of each caption.

    Returns:
        For each caption the place of its image among all images, int64 [captions]; for each image
        the best place of a caption of its own among all captions, int64 [images].

    Raises:
        UserError: The scores are no matrix of finite numbers, the owners do not fit it, or an
            image has no caption.
    """
    values = _matrix(scores)
    owner = _owners(owner, *values.shape)
    own = values[owner, np.arange(len(owner))]
    best = np.full(len(values), -np.inf)
    np.maximum.at(best, owner, own)
    captions = np.zeros(len(owner), np.int64)
    images = np.zeros(len(values), np.int64)
    for rows in _blocks(values):
        captions += (values[rows] >= own).sum(axis=0)
        images[rows] = (values[rows] >= best[rows, None]).sum(axis=1)
    # Captions of the same image do not stand in each other's way.
    equals = np.bincount(owner[own >= best[owner]], minlength=len(values))
    return captions, images - equals + 1


def summary(
    log_probabilities: ArrayLike, owner: ArrayLike, *, normalise: bool = True
) -> dict[str, float | int]:
    """Returns recall at 1, 5 and 10 (shares) and the median rank (from 1) in both directions.

    `image_to_caption` looks for captions of an image, where the best of its own counts;
    `caption_to_image` for the image of a caption (Donahue et al. 2015, section 5).

    Args:
        log_probabilities: [images, captions].
        owner: [captions], the image of each caption.
        normalise: Whether captions are compared by `normalised`.

    Raises:
        UserError: As `ranks`.
    """
    values = _matrix(log_probabilities)
    owner = _owners(owner, *values.shape)  # before the work of normalising
    to_image, to_caption = ranks(normalised(values) if normalise else values, owner)
    measured: dict[str, float | int] = {}
    for name, places in (("image_to_caption", to_caption), ("caption_to_image", to_image)):
        measured |= {f"{name}_r{k}": float((places <= k).mean()) for k in PLACES}
        measured[f"{name}_median_rank"] = float(np.median(places))
    return {**measured, "images": len(to_caption), "captions": len(to_image)}


def _blocks(values: np.ndarray) -> Iterator[slice]:
    size = max(1, _BLOCK // values.shape[1])
    for start in range(0, len(values), size):
        yield slice(start, start + size)


def _matrix(values: ArrayLike) -> np.ndarray:
    values = np.asarray(values)
    if not np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float64)
    if values.ndim != 2 or not values.size:
        raise _refused(
            "There is no matrix of images and captions",
            received=f"an array of shape {list(values.shape)}",
            expected="[images, captions], at least one each",
            remedy="Give a row an image and a column a caption",
        )
    if not (np.isfinite(values.min()) and np.isfinite(values.max())):  # NaN is both; no copy
        bad = sum(int((~np.isfinite(values[rows])).sum()) for rows in _blocks(values))
        raise _refused(
            "Scores are not all numbers",
            received=f"{bad} of {values.size} are NaN or infinite",
            expected="finite log-probabilities",
            remedy="Look for NaN in the features and in the weights of the network",
        )
    return values


def _owners(owner: ArrayLike, images: int, captions: int) -> np.ndarray:
    owner = np.asarray(owner)
    if owner.shape != (captions,) or not np.issubdtype(owner.dtype, np.integer):
        raise _refused(
            "Captions and their images do not belong together",
            received=f"owners of shape {list(owner.shape)} and type {owner.dtype}",
            expected=f"the number of an image for each of {captions} captions",
            remedy="Give the row of its image for every caption, in the order of the columns",
        )
    if owner.min() < 0 or owner.max() >= images:
        raise _refused(
            "A caption belongs to an image that is not there",
            received=f"owners from {owner.min()} to {owner.max()}",
            expected=f"0 to {images - 1}, as there are {images} images",
            remedy="Number the images by their rows, from 0",
        )
    bare = np.flatnonzero(np.bincount(owner, minlength=images) == 0)
    if len(bare):
        raise _refused(
            "Images without a caption cannot be found",
            received=f"no caption of {len(bare)} of {images} images: {errors.few(bare.tolist())}",
            expected="at least one caption an image",
            remedy="Leave these images out, or give them captions",
        )
    return owner


def _refused(what: str, *, received: str, expected: str, remedy: str) -> UserError:
    return UserError(what, where="retrieval", received=received, expected=expected, remedy=remedy)
