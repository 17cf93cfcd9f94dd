import dataclasses

import keras
import numpy as np
import pytest

from lrcn.data import text
from lrcn.errors import UserError
from lrcn.models import activity, backbones, description, networks, wording
from lrcn.scoring import losses

VOCABULARY = 11
DESIGNS = {
    "1u": description.Design("step", 1, 6, 5),
    "2u": description.Design("step", 2, 6, 5),
    "2f": description.Design("step", 2, 6, 5, factored=True),
    "4f": description.Design("step", 4, 6, 5, factored=True, pooling="max"),
    "state": description.Design("state", 2, 6, 5),
    "first input": description.Design("first_input", 2, 6, 5),
    "encoder": description.Design("encoder", 2, 6, 5),
    "stack": description.Design("stack", 2, 6, 5),
}


def tiny_backbone(features=7):
    frames = keras.Input((4, 4, 3), dtype="uint8")
    values = keras.layers.Rescaling(1 / 255)(frames)
    values = keras.layers.Dense(features)(keras.layers.Flatten()(values))
    return keras.Model(frames, values, name="tiny")


def build(design, **options):
    keras.utils.set_random_seed(0)
    options = {"vocabulary_size": VOCABULARY, "initializer": "uniform_0.8", **options}
    return description.build(tiny_backbone(), design, **options)


def named(*words, design="1u", **options):
    """A network of the words given, beside the special tokens."""
    tokens = (*text.SPECIAL, *words)
    return build(DESIGNS[design], tokens=tokens, vocabulary_size=len(tokens), **options)


def word_weights(model):
    """Of each token its vector, its column of the classifier and its bias."""
    head = networks.head(model)
    (vectors,) = head.get_layer("embedding").get_weights()
    kernel, bias = head.get_layer("classes").get_weights()
    return {
        token: (vectors[number], kernel[:, number], bias[number])
        for number, token in enumerate(wording.tokens_of(model))
    }


def scramble(model, seed):
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape))


def inputs(rows=3, frames=4, length=6):
    rng = np.random.default_rng(0)
    return {
        "frames": rng.integers(0, 256, (rows, frames, 4, 4, 3), np.uint8),
        "words": rng.integers(1, VOCABULARY, (rows, length), np.int32),
    }


def logits(model, given):
    return keras.ops.convert_to_numpy(model(given)["logits"])


@pytest.mark.parametrize(
    ("layers", "factored", "expected"),
    [
        (1, False, 29_614_801),
        (2, False, 37_618_801),
        (2, True, 37_618_801),
        (4, True, 53_626_801),
    ],
)
def test_parameters_of_the_paper(layers, factored, expected):
    design = description.Design("step", layers, 1000, 1000, factored)
    model = description.build(tiny_backbone(1000), design, vocabulary_size=8801)
    assert networks.head(model).count_params() == expected


@pytest.mark.parametrize(
    ("cnn", "options", "own", "total"),
    [
        ("caffenet", {"initializer": "zeros"}, 60_965_224, 98_584_025),
        ("vgg16", {}, 138_357_544, 175_976_345),
    ],
)
def test_parameters_of_the_paper_with_its_cnn(cnn, options, own, total):
    backbone = backbones.build(cnn, layer="fc8", **options)
    assert backbone.count_params() == own
    assert backbone.output_shape == (None, 1000)
    design = description.Design("step", 2, 1000, 1000, factored=True)
    model = description.build(backbone, design, vocabulary_size=8801, initializer="zeros")
    assert model.count_params() == total


@pytest.mark.parametrize("name", DESIGNS)
def test_decoding_step_by_step_equals_the_training_graph(name, tmp_path):
    model = build(DESIGNS[name], dropout_in=0.5, dropout_out=0.5, tokens=tuple("abcdefghijk"))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert description.design_of(loaded) == DESIGNS[name]
    assert wording.tokens_of(loaded) == tuple("abcdefghijk")
    given = inputs()
    expected = logits(model, given)
    assert expected.shape == (3, 6, VOCABULARY)
    assert expected.std() > 0.02
    state = description.encoder(loaded)(loaded.get_layer("backbone")(given["frames"]))
    step = description.step(loaded)
    for place in range(6):
        word = keras.ops.convert_to_tensor(given["words"][:, place : place + 1])
        found, *state = step([word, *state])
        np.testing.assert_allclose(found, expected[:, place], atol=1e-5)


@pytest.mark.parametrize("name", DESIGNS)
def test_frames_matter_and_later_words_do_not(name):
    model, given = build(DESIGNS[name]), inputs()
    before = logits(model, given)
    other = {**given, "frames": 255 - given["frames"]}
    assert np.abs(logits(model, other) - before).max() > 1e-3
    words = given["words"].copy()
    words[:, 4:] = 1
    after = logits(model, {**given, "words": words})
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-6)
    assert np.abs(after[:, 4:] - before[:, 4:]).max() > 1e-4


def test_factored_means_that_the_first_layer_sees_no_frame():
    given = inputs()
    for name, changes in (("2f", False), ("2u", True)):
        head = networks.head(build(DESIGNS[name]))
        first = keras.Model(head.inputs, head.get_layer("lstm1").output[0])
        features = np.random.default_rng(1).normal(size=(2, 3, 4, 7)).astype(np.float32)
        a, b = (first({"features": f, "words": given["words"]}) for f in features)
        assert bool(np.abs(np.asarray(a) - np.asarray(b)).max() > 1e-3) is changes


def test_the_order_of_frames_matters_to_those_that_read_them_in_order():
    given = inputs()
    backwards = {**given, "frames": given["frames"][:, ::-1]}
    for name, reads in (("state", False), ("1u", False), ("encoder", True), ("stack", True)):
        model = build(DESIGNS[name])
        difference = np.abs(logits(model, given) - logits(model, backwards)).max()
        assert bool(difference > 1e-4) is reads, name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conditioning": "x"}, r"workflow\.conditioning: .*Received: x.*step \| state"),
        ({"layers": 0}, r"workflow\.layers: .*Received: 0.*1 or more"),
        ({"layers": 1, "factored": True}, r"workflow\.layers: .*2 or more"),
        ({"conditioning": "stack", "layers": 1}, r"workflow\.layers: .*2 or more"),
        ({"conditioning": "state", "factored": True}, r"workflow\.factored"),
        ({"units": 0}, r"workflow\.units"),
    ],
)
def test_designs_that_are_none_are_refused(changes, message):
    with pytest.raises(UserError, match=message):
        build(dataclasses.replace(DESIGNS["2u"], **changes))


@pytest.mark.parametrize("name", DESIGNS)
def test_whole_captions_are_read_as_by_the_training_graph(name):
    model, given = build(DESIGNS[name], dropout_in=0.5, dropout_out=0.5), inputs()
    features = model.get_layer("backbone")(given["frames"])
    states = description.encoder(model)(features)
    states = states if isinstance(states, list | tuple) else [states]
    words = keras.ops.convert_to_tensor(given["words"])
    found = description.decoder(model)([words, *states])
    np.testing.assert_allclose(found, logits(model, given), atol=1e-5)


@pytest.mark.parametrize("name", DESIGNS)
def test_clips_with_their_owners_teach_what_pairs_teach(name):
    model, given = build(DESIGNS[name]), inputs()
    owner = np.array([2, 0, 2, 1], np.int32)
    words = given["words"][[1, 0, 2, 2]]
    both = []
    for network, shown in (
        (model, {"frames": given["frames"][owner], "words": words}),
        (description.with_owners(model), {**given, "words": words, "owner": owner}),
    ):
        optimizer = keras.optimizers.SGD(0.1)
        optimizer.build(model.trainable_variables)
        before = model.get_weights()
        network.compile(optimizer, {"logits": losses.next_word()}, jit_compile=False)
        loss = network.train_on_batch(shown, {"logits": words})
        both.append((loss, model.get_weights()))
        model.set_weights(before)
    (loss, weights), (same, others) = both
    assert loss == pytest.approx(same, abs=1e-5)
    changed = 0
    for weight, other, old in zip(weights, others, before, strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-5)
        changed += bool(np.abs(weight - old).max() > 1e-4)
    assert changed > len(before) / 2


def test_a_network_knows_its_vocabulary_when_it_is_opened_again(tmp_path):
    model = named("cat", "dog", max_length=9)
    model.save(tmp_path / "m.keras")
    expected = text.Vocabulary((*text.SPECIAL, "cat", "dog"), 9)
    assert wording.vocabulary_of(keras.models.load_model(tmp_path / "m.keras")) == expected
    assert wording.vocabulary_of(networks.head(model)) == expected


def test_only_networks_that_describe_are_description_networks():
    assert wording.is_one(build(DESIGNS["stack"]))
    backbone = backbones.build("small", image_size=(16, 16))
    assert not wording.is_one(activity.lstm(backbone, num_classes=2, units=3))
    assert not wording.is_one(tiny_backbone())


def test_word_vectors_are_set_row_by_row_or_refused():
    model = named("cat", "dog")
    vectors = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    wording.set_word_vectors(model, vectors)
    for number, token in enumerate((*text.SPECIAL, "cat", "dog")):
        np.testing.assert_array_equal(word_weights(model)[token][0], vectors[number])
    message = r"workflow\.embedding: .*Received: 5\. Expected: 4.*workflow\.embedding=4"
    with pytest.raises(UserError, match=message):
        wording.set_word_vectors(model, vectors[:, :4])


def test_words_are_trained_unless_they_are_fixed():
    for trainable in (True, False):
        model = named("cat", trainable_words=trainable)
        paths = {variable.path for variable in model.trainable_variables}
        assert ("embedding/embeddings" in paths) is trainable
        assert "classes/kernel" in paths


def test_words_move_by_token_whatever_their_numbers():
    source, target = named("cat", "dog", "runs"), named("runs", "bird", "cat")
    scramble(source, 1)
    scramble(target, 2)
    old, before = word_weights(source), word_weights(target)
    known, new, carried = wording.carry_words(source, target)
    assert known == [*text.SPECIAL, "runs", "cat"]
    assert new == ["bird"]
    assert carried == ["embedding/embeddings", "classes/kernel", "classes/bias"]
    after = word_weights(target)
    for token, expected in {**old, "bird": before["bird"]}.items():
        for value, wanted in zip(after.get(token, expected), expected, strict=True):
            np.testing.assert_array_equal(value, wanted, err_msg=token)
    for word in ("runs", "cat"):
        assert (after[word][0] != before[word][0]).any()


@pytest.mark.parametrize(
    ("design", "changes", "expected"),
    [
        ("1u", {"embedding": 4}, ["classes/kernel", "classes/bias"]),
        ("1u", {"units": 4}, ["embedding/embeddings"]),
        ("1u", {"units": 4, "embedding": 4}, []),
        ("encoder", {}, ["embedding/embeddings", "classes/kernel", "classes/bias"]),
    ],
)
def test_words_of_other_widths_are_not_carried(design, changes, expected):
    tokens = (*text.SPECIAL, "dog", "cat")
    source = named("cat", "dog")
    options = {"tokens": tokens, "vocabulary_size": len(tokens)}
    target = build(dataclasses.replace(DESIGNS[design], **changes), **options)
    scramble(source, 1)
    before = {weight.path: weight.numpy() for weight in target.weights}
    known, new, carried = wording.carry_words(source, target)
    assert (sorted(known), new, carried) == (sorted(tokens), [], expected)
    changed = [w.path for w in target.weights if (w.numpy() != before[w.path]).any()]
    assert sorted(changed) == sorted(expected)
