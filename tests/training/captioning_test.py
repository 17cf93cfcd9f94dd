import dataclasses
import logging

import keras
import numpy as np
import pytest

from lrcn import errors, runs
from lrcn import settings as settings_lib
from lrcn.data import text
from lrcn.models import description, networks, wording
from lrcn.scoring import describer
from lrcn.training import assembly, captioning, checkpoints, session, tasks

SCENES = (
    "a red wall",
    "a green wall",
    "a blue wall",
    "nothing but yellow paint",
    "the sky in the morning",
    "a purple curtain",
    "snow",
    "a dark night with no moon at all",
    "the dark",
    "sand on a beach",
)
COLOURS = (
    *((250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250), (250, 0, 250)),
    *((250, 250, 250), (0, 0, 0), (0, 110, 60), (250, 150, 70)),
)


def task_of(settings):
    splits = {split: getattr(settings.dataset, split) for split in ("train", "val")}
    return tasks.of(settings, {split: path for split, path in splits.items() if path})


def without_val(settings):
    return dataclasses.replace(settings, dataset=dataclasses.replace(settings.dataset, val=None))


def words_of(settings, **vocabulary):
    settings = dataclasses.replace(
        settings, vocabulary=dataclasses.replace(settings.vocabulary, **vocabulary)
    )
    return task_of(settings).vocabulary


def test_only_words_of_the_training_split_are_known(caption_settings):
    vocabulary = words_of(caption_settings())
    assert {"dog", "sleeps", "green"} <= set(vocabulary.tokens)
    assert vocabulary.id_of("zebra") == text.UNKNOWN == vocabulary.id_of("run")
    assert vocabulary.max_length == 6
    assert vocabulary == words_of(without_val(caption_settings()))


def test_rare_words_are_unknown_and_further_text_is_counted(caption_settings, tmp_path):
    settings = caption_settings()
    assert "sleeps" not in words_of(settings, min_count=2).tokens
    assert "dog" in words_of(settings, min_count=2).tokens
    assert words_of(settings, max_size=3).size == 3 + len(text.SPECIAL)
    (tmp_path / "one.txt").write_text("a zebra sleeps\n")
    (tmp_path / "two.txt").write_text("v1\ta zebra\n")
    both = (str(tmp_path / "one.txt"), str(tmp_path / "two.txt"))
    assert {"sleeps", "zebra"} <= set(words_of(settings, min_count=2, extra_text=both).tokens)
    assert "zebra" not in words_of(settings, min_count=2, extra_text=both[:1]).tokens


def test_what_a_vocabulary_leaves_out_is_told(caplog, tmp_path):
    training = [("a dog runs fast", "a dog"), ("a cat",)]
    caplog.set_level(logging.INFO)
    own = settings_lib.Vocabulary(min_count=2, max_length=3)
    vocabulary = captioning.make_vocabulary(own, training)
    expected = (
        "vocabulary: 2 words; 37.5 % of all in the captions are unknown to it; "
        "1 of 3 captions are longer than 3 words and cut"
    )
    assert caplog.messages == [expected]
    text.write_vocabulary(tmp_path / "v.json", vocabulary)
    captioning.make_vocabulary(settings_lib.Vocabulary(file=str(tmp_path / "v.json")), training)
    assert caplog.messages == [expected] * 2


def test_a_vocabulary_of_a_file_is_taken_as_it_is(caption_settings, tmp_path):
    vocabulary = text.Vocabulary((*text.SPECIAL, "zebra", "dog"), 3)
    text.write_vocabulary(tmp_path / "v.json", vocabulary)
    settings = caption_settings(vocabulary__file=str(tmp_path / "v.json"))
    task = task_of(settings)
    assert task.vocabulary == vocabulary
    network = task.build()
    assert wording.vocabulary_of(network) == vocabulary
    assert network.output["logits"].shape == (None, None, 6)
    (tmp_path / "v.json").write_text("{}")
    with pytest.raises(errors.UserError, match=r"v\.json: no vocabulary"):
        task_of(settings)


def test_words_that_are_too_rare_name_the_key(caption_settings):
    with pytest.raises(errors.UserError, match=r"vocabulary\.min_count: no word is frequent"):
        task_of(caption_settings(vocabulary__min_count=99))


@pytest.mark.parametrize("workflow", ["step", "pooling", "encdec"])
def test_a_network_is_as_the_workflow_says(caption_settings, workflow):
    settings = caption_settings(workflow, pooling__frames="max")
    network = task_of(settings).build()
    own = settings.workflow
    assert description.design_of(network) == description.Design(
        conditioning=getattr(own, "conditioning", "step"),
        layers=own.layers,
        units=6,
        embedding=5,
        factored=getattr(own, "factored", False),
        pooling="max",
    )
    head = networks.head(network)
    rates = {layer.name: layer.rate for layer in head.layers if "dropout" in layer.name}
    own_rates = {
        "dropout_in": own.dropout_in,
        "dropout_words": own.dropout_in,
        "dropout_out": own.dropout_out,
    }
    assert rates == {name: rate for name, rate in own_rates.items() if rate}


def write_vectors(path, words, width):
    rows = [
        f"{word} " + " ".join(str(k + i / 8) for k in range(width)) for i, word in enumerate(words)
    ]
    path.write_text("\n".join(rows) + "\n")
    return {word: np.arange(width) + i / 8 for i, word in enumerate(words)}


@pytest.mark.parametrize("trainable", [True, False])
def test_word_vectors_start_the_words_and_stay_if_told(
    caption_settings, tmp_path, caplog, trainable
):
    given = write_vectors(tmp_path / "vectors.txt", ["dog", "zebra", "cat"], 5)
    settings = caption_settings(
        workflow__word_vectors=str(tmp_path / "vectors.txt"), workflow__trainable_words=trainable
    )
    caplog.set_level(logging.INFO)
    task = task_of(without_val(settings))
    session.prepare(settings)
    network = task.build()
    embedding = networks.head(network).get_layer("embedding")
    before = embedding.embeddings.numpy()
    for word in ("dog", "cat"):
        np.testing.assert_allclose(before[task.vocabulary.id_of(word)], given[word])
    assert "word vectors: " in caplog.text and "words have none" in caplog.text
    state = session.fit(
        without_val(settings), task, runs.RunDirectory(tmp_path / "run"), None, checkpoints.State()
    )
    assert state.epoch == 2
    trained, _ = checkpoints.load(tmp_path / "run" / "checkpoints" / "last.keras")
    after = networks.head(trained).get_layer("embedding").embeddings.numpy()
    assert bool((after == before).all()) is not trainable
    kernel = networks.head(trained).get_layer("classes").kernel.numpy()
    assert (kernel != networks.head(network).get_layer("classes").kernel.numpy()).any()


def test_word_vectors_that_are_given_win_over_those_of_init(caption_settings, tmp_path):
    first = without_val(caption_settings())
    session.train(first, runs.RunDirectory(tmp_path / "first"))
    given = write_vectors(tmp_path / "vectors.txt", ["dog"], 5)
    settings = caption_settings(
        init=str(tmp_path / "first"),
        workflow__word_vectors=str(tmp_path / "vectors.txt"),
        workflow__trainable_words=False,
    )
    run = runs.RunDirectory(tmp_path / "second")
    session.train(without_val(settings), run)
    network, _ = checkpoints.load(run.last)
    place = wording.tokens_of(network).index("dog")
    vectors = networks.head(network).get_layer("embedding").embeddings.numpy()
    np.testing.assert_allclose(vectors[place], given["dog"])


def test_word_vectors_of_another_width_name_the_key_to_change(caption_settings, tmp_path):
    write_vectors(tmp_path / "vectors.txt", ["dog"], 3)
    task = task_of(caption_settings(workflow__word_vectors=str(tmp_path / "vectors.txt")))
    with pytest.raises(errors.UserError, match=r"workflow\.embedding: .*workflow\.embedding=3"):
        task.build()


@pytest.mark.parametrize("split", ["train", "val"])
def test_workflows_of_images_refuse_videos(caption_settings, split):
    settings = caption_settings()
    videos = getattr(caption_settings("pooling").dataset, split)
    dataset = dataclasses.replace(settings.dataset, **{split: videos})
    message = rf"dataset\.{split}: .*holds videos.*workflow=videodesc_pooling"
    with pytest.raises(errors.UserError, match=message):
        task_of(dataclasses.replace(settings, dataset=dataset))


def test_workflows_of_videos_take_images(caption_settings):
    images = caption_settings().dataset
    settings = dataclasses.replace(caption_settings("pooling"), dataset=images)
    task = task_of(settings)
    feed = task.feed(task.build(), first_epoch=0)
    assert (feed.num_frames, feed.clips) == (1, 8)


@pytest.mark.parametrize("split", ["train", "val"])
def test_an_item_without_a_caption_is_named_before_anything_is_trained(
    caption_settings, write_records, split
):
    bare = write_records((1, 1), name=f"bare.{split}", kind="image", captions=[("a",), ()])
    settings = caption_settings()
    dataset = dataclasses.replace(settings.dataset, **{split: str(bare.path)})
    with pytest.raises(errors.UserError, match=rf"bare\.{split}.*item video 1: nothing describes"):
        task_of(dataclasses.replace(settings, dataset=dataset))


def memorised(settings, epochs):
    """A network that learnt all training captions by heart, and its vocabulary."""
    session.prepare(settings)
    settings = dataclasses.replace(settings, epochs=epochs)
    task = task_of(settings)
    network = task.build()
    feed = task.feed(network, first_epoch=0)
    optimizer = assembly.optimizer_of(network, settings, steps_per_epoch=feed.steps)
    task.compile(network, optimizer)
    if feed.model is not network:
        task.compile(feed.model, optimizer)
    feed.model.fit(
        feed.training, epochs=1, steps_per_epoch=feed.steps * epochs, verbose=0, shuffle=False
    )
    return network, task


def described(model, batches, vocabulary):
    find = describer.searcher("greedy", max_length=vocabulary.max_length)
    return describer.write(describer.Describer(model, find), batches, vocabulary)


@pytest.mark.parametrize("trainable", [False, True])
def test_ten_captions_of_ten_pictures_are_learnt_by_heart(
    caption_settings, write_records, tmp_path, trainable
):
    def flat(item, frame, height, width):
        return np.full((height, width, 3), COLOURS[item], np.uint8)

    record_set = write_records(
        (1,) * 10, name="scenes.train", kind="image", captions=[(s,) for s in SCENES], frame=flat
    )
    settings = caption_settings(
        backbone__trainable=trainable,
        workflow__units=32,
        workflow__embedding=16,
        workflow__dropout_in=0.0,
        workflow__dropout_out=0.0,
        optimizer__learning_rate=0.02,
        vocabulary__max_length=8,
        batch_size=10,
    )
    both = dataclasses.replace(
        settings.dataset, train=str(record_set.path), val=str(record_set.path)
    )
    network, task = memorised(dataclasses.replace(settings, dataset=both), epochs=320)
    feed = task.feed(network, first_epoch=0)
    written = described(feed.model, feed.validation, task.vocabulary).of_items()
    assert written.captions == SCENES
    assert (np.exp(written.log_probability) > 0.5).all()
    network.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", compile=False)
    frames = task_of(
        dataclasses.replace(settings, dataset=both, backbone=_trainable(settings.backbone))
    )
    shown = frames.feed(loaded, first_epoch=0).validation
    again = described(loaded, shown, wording.vocabulary_of(loaded)).of_items()
    assert again.captions == SCENES
    np.testing.assert_allclose(again.log_probability, written.log_probability, atol=1e-4)


def _trainable(backbone):
    return dataclasses.replace(backbone, trainable=True)


def test_other_words_or_captions_are_refused_and_the_run_keeps_its_own(
    caption_settings, write_records, tmp_path
):
    run = runs.RunDirectory(tmp_path / "run")
    settings = caption_settings(epochs=1)
    session.train(settings, run)
    stored = run.vocabulary_file.read_text()
    others = [
        (caption_settings(vocabulary__max_length=5), "max_length is 6, not 5"),
        (caption_settings(vocabulary__max_size=2), "words, not"),
    ]
    renamed = write_records(
        (1, 1), name="other.train", kind="image", captions=[("one word",), ("one bird",)]
    )
    dataset = dataclasses.replace(settings.dataset, train=str(renamed.path))
    others.append((dataclasses.replace(settings, dataset=dataset), "word 4 is 'a', not 'one'"))
    for other, difference in others:
        message = f"the run was trained with another vocabulary.*{difference}.*init="
        with pytest.raises(errors.UserError, match=message):
            session.train(dataclasses.replace(other, epochs=2), run)
        assert run.vocabulary_file.read_text() == stored
        assert checkpoints.load(run.last)[1].epoch == 1
    assert text.read_vocabulary(run.vocabulary_file) == task_of(settings).vocabulary


def test_the_same_words_of_other_items_are_refused_too(caption_settings, write_records, tmp_path):
    run = runs.RunDirectory(tmp_path / "run")
    settings = caption_settings(epochs=1)
    session.train(settings, run)
    swapped = write_records(
        (1, 1),
        name="swapped.train",
        kind="image",
        captions=[
            ("two dogs", "the cat sits", "a cat"),
            ("A dog runs.", "the dog is running in a field", "a cat sleeps")
            + ("a cat sits on a dog", "the field is green"),
        ],
    )
    dataset = dataclasses.replace(settings.dataset, train=str(swapped.path))
    with pytest.raises(errors.UserError, match=r"dataset\.train: .*other records"):
        session.train(dataclasses.replace(settings, dataset=dataset, epochs=2), run)


def test_a_training_leaves_its_words_and_what_it_measured(caption_settings, tmp_path):
    run = runs.RunDirectory(tmp_path / "run")
    metrics = session.train(caption_settings(), run)
    assert metrics == run.read_metrics()
    scores = {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider", "exact", "loss"}
    told = {"distinct_captions", "most_frequent_share", "mean_length", "items", "copied"}
    assert set(metrics) == scores | told | {"vocabulary_used", "epoch"}
    assert metrics["items"] == 3
    assert run.vocabulary_file.exists() and not (run.path / "labels.txt").exists()


def test_a_network_that_says_one_thing_of_all_is_told(caption_settings, caplog):
    task = task_of(caption_settings())
    with caplog.at_level(logging.WARNING):
        assert task.measured({"epoch": 2}) == {"epoch": 2}  # nothing was measured
        measured = {"items": 4, "most_frequent_share": 0.5}
        assert task.measured(measured) == measured
        warned = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert not warned
        task.measured({"items": 4, "most_frequent_share": 0.75})
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.getMessage().startswith("train: one caption serves 3 of 4 items")
