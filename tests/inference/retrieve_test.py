import json

import keras
import numpy as np
import pytest
from PIL import Image

from lrcn.data import text
from lrcn.inference import retrieve
from lrcn.models import description, networks
from lrcn.scoring import retrieval

TOKENS = (*text.SPECIAL, "a", "dog", "cat", "runs", "birds")
VOCABULARY = text.Vocabulary(TOKENS, 5)
CAPTIONS = (("a dog runs", "a dog"), ("a cat",), ("birds", "birds runs a cat runs a dog"))
WRITTEN = [caption for own in CAPTIONS for caption in own]
FEATURES = 7


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(2)
    frames = keras.Input((4, 4, 3), dtype="uint8")
    values = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(frames))
    backbone = keras.Model(frames, keras.layers.Dense(FEATURES)(values), name="tiny")
    return description.build(
        backbone,
        description.Design("step", 2, 6, 5, factored=True),
        vocabulary_size=len(TOKENS),
        tokens=TOKENS,
        max_length=5,
        dropout_in=0.5,
        initializer="uniform_1.5",
    )


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(3).normal(0, 2, (5, 2, FEATURES)).astype(np.float32)


ITEM = np.array([0, 0, 1, 2, 2])  # several clips of some items


def batches(shown):
    clip = np.array([0, 1, 0, 0, 1])
    return [
        {"features": shown[at], "item": ITEM[at], "clip": clip[at]}
        for at in (slice(0, 2), slice(2, 5))
    ]


def pair_by_pair(network, features):
    """Log-probabilities [items, captions], a clip and a caption at a time by the head."""
    head, values = networks.head(network), np.full((3, len(WRITTEN)), -np.inf)
    for clip, item in enumerate(ITEM):
        for column, caption in enumerate(WRITTEN):
            words = VOCABULARY.encode(caption)
            given = {
                "features": features[clip : clip + 1],
                "words": np.array([[text.BEGIN, *words]], np.int32),
            }
            logits = keras.ops.convert_to_numpy(head(given, training=False)["logits"])[0]
            said = keras.ops.convert_to_numpy(keras.ops.log_softmax(logits))
            total = sum(said[place, word] for place, word in enumerate([*words, text.END]))
            values[item, column] = max(values[item, column], total)
    return values


def test_every_pair_has_the_log_probability_of_the_training_graph(network, features):
    head = networks.head(network)
    matrix = retrieve.log_probabilities(head, batches(features), WRITTEN, VOCABULARY)
    assert matrix.shape == (3, len(WRITTEN))
    np.testing.assert_allclose(matrix, pair_by_pair(network, features), atol=1e-4)


def test_blocks_change_no_number(network, features, monkeypatch):
    head = networks.head(network)
    whole = retrieve.log_probabilities(head, batches(features), WRITTEN, VOCABULARY)
    monkeypatch.setattr(retrieve, "_CAPTIONS", 2)
    monkeypatch.setattr(retrieve, "_NUMBERS", 2 * VOCABULARY.steps * VOCABULARY.size * 2)
    parts = retrieve.log_probabilities(head, batches(features), WRITTEN, VOCABULARY)
    np.testing.assert_allclose(parts, whole, atol=1e-5)


@pytest.mark.parametrize(("count", "size"), [(1, 4), (4, 4), (5, 4), (9, 2)])
def test_blocks_hold_every_caption_beside_others_of_its_length(monkeypatch, count, size):
    monkeypatch.setattr(retrieve, "_CAPTIONS", size)
    lengths = np.random.default_rng(0).integers(1, 9, count).tolist()
    blocks = retrieve._blocks(lengths)
    assert {len(block) for block in blocks} == {min(count, size)}
    assert set(np.concatenate(blocks).tolist()) == set(range(count))
    in_order = [lengths[place] for block in blocks[:-1] for place in block]
    assert in_order == sorted(in_order)


@pytest.mark.parametrize("normalise", [True, False])
def test_what_is_found_is_written(network, features, write_records, tmp_path, normalise):
    record_set = write_records((3, 4, 3), captions=CAPTIONS)
    folder = tmp_path / "out"
    values = retrieve.retrieve(
        networks.head(network),
        batches(features),
        record_set,
        VOCABULARY,
        normalise=normalise,
        folder=folder,
    )
    matrix = pair_by_pair(network, features).astype(np.float32)
    owner = np.array([0, 0, 1, 2, 2])
    assert values == retrieval.summary(matrix, owner, normalise=normalise)
    assert (values["images"], values["captions"]) == (3, 5)
    names = ["metrics.json", "retrieval.jsonl", "retrieval.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert json.loads((folder / "metrics.json").read_text()) == values
    scores = retrieval.normalised(matrix) if normalise else matrix
    lines = [json.loads(line) for line in (folder / "retrieval.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [["id", "rank", "found"]] * 3
    assert [line["rank"] for line in lines] == retrieval.ranks(scores, owner)[1].tolist()
    for item, line in enumerate(lines):
        assert line["id"] == f"video {item}"
        told = [(one["caption"], one["right"]) for one in line["found"]]
        order = np.argsort(-scores[item])
        assert told == [(WRITTEN[place], bool(owner[place] == item)) for place in order]
        found = [one["score"] for one in line["found"]]
        np.testing.assert_allclose(found, scores[item][order], atol=1e-3)
    with Image.open(folder / "retrieval.png") as sheet:
        assert min(sheet.size) > 100


def test_no_metrics_stand_where_the_files_are_cut_off(
    network, features, write_records, tmp_path, monkeypatch
):
    (tmp_path / "metrics.json").write_text("{}")

    def broken(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(retrieve.sheets, "captions", broken)
    record_set = write_records((3, 4, 3), captions=CAPTIONS)
    with pytest.raises(OSError, match="disk full"):
        retrieve.retrieve(
            networks.head(network), batches(features), record_set, VOCABULARY, folder=tmp_path
        )
    assert not (tmp_path / "metrics.json").exists()
