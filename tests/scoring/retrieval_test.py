"""Retrieval on matrices small enough to rank by hand."""

import tracemalloc

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from lrcn.errors import UserError
from lrcn.scoring import retrieval

# Two images; captions 0 and 2 are of image 0, caption 1 is of image 1.
SCORES = np.array([[5.0, 4.0, 1.0], [3.0, 2.0, 6.0]])
OWNER = np.array([0, 1, 0])


def test_normalised():
    """Golden of the paper: the second image's best caption changes from the first to the second."""
    found = retrieval.normalised([[-1, -3], [-2, -2.5]])
    np.testing.assert_allclose(
        found, [[0.379885, -0.280930], [-0.620115, 0.219070]], rtol=0, atol=1e-6
    )
    assert found.dtype == np.float64


def test_normalised_scores_have_a_mean_likelihood_of_one():
    values = np.random.default_rng(0).normal(-30, 9, (40, 7))
    np.testing.assert_allclose(np.exp(retrieval.normalised(values)).mean(axis=0), 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_long_captions_stay_numbers(dtype):
    values = np.array([[-900, -1100, -3], [-903, -1e5, -3], [-1e9, -1101, -3]], dtype)
    found = retrieval.normalised(values)
    mean = [-900 + np.log((1 + np.exp(-3)) / 3), -1100 + np.log((1 + np.exp(-1)) / 3), -3]
    np.testing.assert_allclose(found, values - np.array(mean), rtol=1e-12, atol=1e-9)


def test_blocks_change_nothing(monkeypatch):
    values = np.random.default_rng(1).normal(-60, 20, (23, 9))
    owner = np.arange(9) % 5
    whole = retrieval.normalised(values), *retrieval.ranks(values[:5], owner)
    monkeypatch.setattr(retrieval, "_BLOCK", 20)
    parts = retrieval.normalised(values), *retrieval.ranks(values[:5], owner)
    np.testing.assert_allclose(parts[0], whole[0], rtol=1e-14)
    for a, b in zip(parts[1:], whole[1:], strict=True):
        np.testing.assert_array_equal(a, b)


def test_ranks():
    captions, images = retrieval.ranks(SCORES, OWNER)
    # Image 0 is first of two for caption 0 and last for 2; image 1 is last for caption 1.
    assert captions.tolist() == [1, 2, 2]
    # Image 0 finds its caption 0 first; image 1 finds 2, 0 and only then its own.
    assert images.tolist() == [1, 3]


def test_other_captions_of_an_image_do_not_stand_in_its_way():
    scores = np.array([[7.0, 7.0, 7.0, 5.0], [0.0, 0.0, 9.0, 8.0], [1.0, 2.0, 3.0, 4.0]])
    captions, images = retrieval.ranks(scores, [0, 0, 1, 2])
    assert captions.tolist() == [1, 1, 1, 3]
    # Two equal captions of image 0 share a place, and a third of another image comes before them.
    assert images.tolist() == [2, 1, 1]


def test_equal_scores_are_no_find():
    captions, images = retrieval.ranks(np.zeros((4, 6)), [0, 0, 0, 1, 2, 3])
    assert captions.tolist() == [4] * 6
    assert images.tolist() == [4, 6, 6, 6]
    found = retrieval.summary(np.full((4, 6), -20.0), [0, 0, 0, 1, 2, 3])
    assert (found["image_to_caption_r1"], found["caption_to_image_r1"]) == (0, 0)


def test_summary():
    found = retrieval.summary(SCORES, OWNER, normalise=False)
    assert found == {
        "image_to_caption_r1": 0.5,
        "image_to_caption_r5": 1.0,
        "image_to_caption_r10": 1.0,
        "image_to_caption_median_rank": 2.0,
        "caption_to_image_r1": pytest.approx(1 / 3),
        "caption_to_image_r5": 1.0,
        "caption_to_image_r10": 1.0,
        "caption_to_image_median_rank": 2.0,
        "images": 2,
        "captions": 3,
    }


def test_summary_counts_the_places_of_a_larger_matrix():
    # Image i prefers the captions i + 1, i + 2, ... up to its own, which stands at place i + 1.
    size = 12
    scores = np.zeros((size, size))
    for image in range(size):
        for place in range(size):
            scores[image, (image + 1 + place) % size if place < image else 0] = 0
        order = [(image + 1 + step) % size for step in range(size - 1)]
        order.insert(image, image)
        scores[image, order] = -np.arange(size)
    found = retrieval.summary(scores, np.arange(size), normalise=False)
    assert found["image_to_caption_r1"] == pytest.approx(1 / size)
    assert found["image_to_caption_r5"] == pytest.approx(5 / size)
    assert found["image_to_caption_r10"] == pytest.approx(10 / size)
    assert found["image_to_caption_median_rank"] == 6.5


def test_normalising_finds_what_a_likely_caption_hides():
    # Caption 0 is short and likely everywhere; without a norm it is every image's first.
    values = np.array([[-2.0, -30.0, -30.0], [-3.0, -20.0, -31.0], [-3.0, -31.0, -19.0]])
    plain = retrieval.summary(values, range(3), normalise=False)
    mended = retrieval.summary(values, range(3))
    assert plain["image_to_caption_r1"] == pytest.approx(1 / 3)
    assert mended["image_to_caption_r1"] == 1
    # A caption's own norm is the same for all images.
    assert plain["caption_to_image_r1"] == mended["caption_to_image_r1"] == 1


@st.composite
def problems(draw):
    """A matrix, the owner of each column, and a new order of both axes."""
    images = draw(st.integers(1, 6))
    owner = [*range(images), *draw(st.lists(st.integers(0, images - 1), max_size=8))]
    owner = np.array(draw(st.permutations(owner)))
    # Few different numbers, so that there are ties.
    numbers = draw(st.lists(st.integers(0, 4), min_size=images, max_size=images * len(owner)))
    scores = np.resize(np.array(numbers, float), (images, len(owner)))
    rows = np.array(draw(st.permutations(range(images))))
    columns = np.array(draw(st.permutations(range(len(owner)))))
    return scores, owner, rows, columns


@hypothesis.settings(deadline=None, max_examples=100)
@hypothesis.given(problems())
def test_the_order_of_images_and_captions_changes_nothing(problem):
    scores, owner, rows, columns = problem
    moved = scores[rows][:, columns], np.argsort(rows)[owner][columns]
    assert retrieval.summary(*moved, normalise=False) == retrieval.summary(
        scores, owner, normalise=False
    )
    captions, images = retrieval.ranks(scores, owner)
    for found, expected in zip(
        retrieval.ranks(*moved), (captions[columns], images[rows]), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@hypothesis.settings(deadline=None, max_examples=30)
@hypothesis.given(problems(), st.integers(0, 99))
def test_the_order_changes_nothing_of_normalised_scores(problem, seed):
    scores, owner, rows, columns = problem
    scores = np.random.default_rng(seed).normal(-50, 20, scores.shape)
    moved = scores[rows][:, columns], np.argsort(rows)[owner][columns]
    assert retrieval.summary(*moved) == retrieval.summary(scores, owner)


@hypothesis.settings(deadline=None, max_examples=100)
@hypothesis.given(problems())
def test_ranks_are_places(problem):
    scores, owner, *_ = problem
    captions, images = retrieval.ranks(scores, owner)
    assert captions.min() >= 1 and captions.max() <= len(scores)
    assert images.min() >= 1
    others = len(owner) - np.bincount(owner)
    assert np.all(images <= others + 1)


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(problems())
def test_ranks_agree_with_sorting(problem):
    scores, owner, *_ = problem
    captions, images = retrieval.ranks(scores, owner)
    for caption, image in enumerate(owner):
        # Of equal scores the image's own comes last.
        order = sorted(
            range(len(scores)), key=lambda one, j=caption, i=image: (-scores[one, j], one == i)
        )
        assert captions[caption] == order.index(image) + 1
    for image in range(len(scores)):
        order = sorted(
            range(len(owner)), key=lambda one, i=image: (-scores[i, one], owner[one] == i)
        )
        assert images[image] == 1 + [owner[one] == image for one in order].index(True)


def test_a_large_matrix_takes_little_more_than_its_result():
    values = np.full((2000, 5000), -40, np.float32)
    owner = np.arange(5000) % 2000
    tracemalloc.start()
    retrieval.summary(values, owner)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * values.size * 8


@pytest.mark.parametrize("scores", [[1.0, 2.0], [[[1.0]]], np.zeros((0, 3)), np.zeros((3, 0))])
def test_what_is_no_matrix_is_refused(scores):
    for function in (retrieval.normalised, lambda values: retrieval.summary(values, [0])):
        with pytest.raises(UserError, match=r"no matrix of images and captions.*shape \["):
            function(scores)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(bad):
    scores = SCORES.copy()
    scores[1, 2] = bad
    for function in (
        lambda: retrieval.normalised(scores),
        lambda: retrieval.ranks(scores, OWNER),
        lambda: retrieval.summary(scores, OWNER),
    ):
        with pytest.raises(UserError, match="1 of 6 are NaN or infinite"):
            function()


@pytest.mark.parametrize(
    ("owner", "message"),
    [
        ([0, 1], r"owners of shape \[2\]"),
        ([[0, 1, 0]], r"owners of shape \[1, 3\]"),
        ([0.0, 1.0, 0.0], "type float64"),
        ([0, 2, 1], "owners from 0 to 2. Expected: 0 to 1"),
        ([0, -1, 1], "owners from -1 to 1"),
        ([1, 1, 1], "no caption of 1 of 2 images: 0"),
    ],
)
def test_owners_that_do_not_fit_are_refused(owner, message):
    for function in (retrieval.ranks, retrieval.summary):
        with pytest.raises(UserError, match=message):
            function(SCORES, owner)
