"""Description networks: a CNN or an LSTM over frames says what an LSTM puts into words.

All take `frames` [batch, time, height, width, 3] uint8 (an image is one frame) and `words`
[batch, length] int32, the caption so far with its begin token, and return `logits`
[batch, length, vocabulary] float32 for the word that follows each. As in `activity`, the CNN is the
layer `backbone` and everything after it the nested model `head`, from `features` and `words`.

What is trained and what is decoded step by step are built from the same layers by the same two
functions: `_encode` turns features into what the words are conditioned on, `_decode` adds words.
"""

from __future__ import annotations

import dataclasses

import keras

from lrcn.errors import UserError
from lrcn.models import gates, initial, networks, wording
from lrcn.models import layers as custom_layers

CONDITIONINGS = ("step", "state", "first_input", "encoder", "stack")


@dataclasses.dataclass(frozen=True)
class Design:
    """How words are conditioned on frames, saved with the model.

    Attributes:
        conditioning: "step": the pooled frame vector enters at every word (Donahue et al. 2015,
            section 5); "state": it sets the first state of every layer; "first_input": it is read
            before the first word; "encoder": an LSTM of its own reads the frames and hands its
            state over; "stack": one stack reads frames, then words (Venugopalan et al. 2015, S2VT).
        layers: LSTM layers of the decoder.
        units: State size of each.
        embedding: Size of word vectors.
        factored: With "step", whether the frame vector enters the second layer, not the first.
        pooling: "avg", "max" or "last" over frames where a vector is made of them.
    """

    conditioning: str
    layers: int
    units: int
    embedding: int
    factored: bool = False
    pooling: str = "avg"


def build(
    backbone: keras.Model,
    design: Design,
    *,
    vocabulary_size: int,
    tokens: tuple[str, ...] = (),
    max_length: int = 0,
    dropout_in: float = 0.0,
    dropout_out: float = 0.0,
    initializer: str | None = None,
    trainable_words: bool = True,
) -> keras.Model:
    """Returns a network that describes frames.

    Args:
        backbone: Maps [batch, height, width, 3] uint8 to [batch, features]; see `backbones.build`.
        design: How words are conditioned on frames.
        vocabulary_size: Number of word ids.
        tokens: The word of each id, saved with the network.
        max_length: The most words of a caption, saved with the network.
        dropout_in: Share of frame features and of word vectors that is dropped.
        dropout_out: Share of the last LSTM's outputs dropped before the classifier.
        initializer: Name of the initialiser of every kernel, such as the paper's "uniform_0.08",
            with zero biases; None is Keras's, with forget bias 1.
        trainable_words: Whether word vectors are trained.

    Raises:
        UserError: The design is none.
    """
    _check(design, vocabulary_size)
    embedding = wording.Words(
        vocabulary_size,
        design.embedding,
        tokens=tokens,
        max_length=max_length,
        design=dataclasses.asdict(design),
        embeddings_initializer=_vectors(design, initializer),
        trainable=trainable_words,
        name="embedding",
        dtype="float32",
    )
    dropouts = {"dropout_in": dropout_in, "dropout_words": dropout_in, "dropout_out": dropout_out}
    parts = _parts(design, embedding, dropouts, initializer)
    features = keras.Input((None, backbone.output_shape[-1]), dtype="float32", name="features")
    words = keras.Input((None,), dtype="int32", name="words")
    static, states = _encode(parts, design, features)
    logits, _ = _decode(parts, design, words, static, states)
    head = keras.Model({"features": features, "words": words}, {"logits": logits}, name="head")
    return networks.assemble(backbone, head, f"describe_{design.conditioning}")


def design_of(model: keras.Model) -> Design:
    """Returns the design of a network or of its head."""
    return Design(**wording.parts_of(model)["embedding"].design)


def encoder(model: keras.Model) -> keras.Model:
    """Returns the part from features [batch, time, features] to what the words depend on.

    Its outputs are a list of two or more: what the frame vector adds to the gates of the layer that
    sees it at every word, [batch, 4 * units], if one does; then state and cell state [batch, units]
    of every decoder layer.
    """
    parts, design = wording.parts_of(model), design_of(model)
    width = networks.head(model).inputs[0].shape[-1]
    features = keras.Input((None, width), dtype="float32", name="features")
    static, states = _encode(parts, design, features)
    if static is not None:
        static = gates.ConstantGates(parts[_seeing(design)], dtype="float32")(static)
    if states is None:
        states = [
            [custom_layers.ZerosLike(design.units, dtype="float32")(static)] * 2
        ] * design.layers
    return keras.Model(features, _flat(static, states), name="encoder")


def step(model: keras.Model) -> keras.Model:
    """Returns the decoder of one word.

    Its inputs are a list: a word id [batch, 1], then what `encoder` returns or an earlier step
    returned; its outputs are the logits [batch, vocabulary] of the next word and the same list
    with new states.
    """
    words, given, (static, states) = _begun(model, length=1)
    parts = _decoding_parts(model, unroll=True)
    logits, states = _decode(parts, design_of(model), words, static, states)
    outputs = [keras.layers.Flatten(dtype="float32")(logits), *_flat(static, states)]
    return keras.Model([words, *given], outputs, name="step")


def decoder(model: keras.Model) -> keras.Model:
    """Returns the decoder of whole captions.

    Its inputs are a list: word ids [batch, length], then what `encoder` returns; its output is the
    logits [batch, length, vocabulary] of the words that follow.
    """
    words, given, (static, states) = _begun(model, length=None)
    parts = _decoding_parts(model, unroll=False)
    logits, _ = _decode(parts, design_of(model), words, static, states)
    return keras.Model([words, *given], logits, name="decoder")


def with_owners(model: keras.Model) -> keras.Model:
    """Returns a network for clips with several captions each, over the same layers.

    Its inputs are `frames` [clips, ...], `words` [captions, length] and `owner` [captions] int32,
    the clip of each caption; its output is the `logits` [captions, length, vocabulary]. The CNN
    and what reads frames see each clip once, however many captions it has.
    """
    frames = keras.Input(model.input["frames"].shape[1:], dtype="uint8", name="frames")
    words = keras.Input((None,), dtype="int32", name="words")
    owner = keras.Input((), dtype="int32", name="owner")
    given = encoder(model)(model.get_layer("backbone")(frames))
    take = custom_layers.TakeRows(name="of_owner", dtype="float32")
    logits = decoder(model)([words, *(take([values, owner]) for values in given)])
    inputs = {"frames": frames, "words": words, "owner": owner}
    return keras.Model(inputs, {"logits": logits}, name=f"{model.name}_with_owners")


def _parts(
    design: Design,
    embedding: wording.Words,
    dropouts: dict[str, float],
    initializer: str | None,
) -> dict[str, keras.layers.Layer]:
    """Returns the layers of a network by their saved names; a dropout of 0 is none."""
    options = {"dtype": "float32"}
    classes = keras.layers.Dense(
        embedding.input_dim,
        kernel_initializer=initial.kernel(initializer),
        name="classes",
        **options,
    )
    parts: dict[str, keras.layers.Layer] = {"embedding": embedding, "classes": classes}
    names = [f"lstm{index + 1}" for index in range(design.layers)]
    if design.conditioning == "encoder":
        names += [f"reader{index + 1}" for index in range(design.layers)]
    for name in names:
        parts[name] = networks.lstm_layer(design.units, name, initializer, return_state=True)
    for name in _dense_parts(design):
        size = design.embedding if name == "seen" else design.units
        parts[name] = keras.layers.Dense(
            size, kernel_initializer=initial.kernel(initializer), name=name, **options
        )
    if design.conditioning in ("step", "state", "first_input"):
        parts["pooled"] = custom_layers.TimePooling(
            design.pooling, renormalise=False, name="pooled", **options
        )
    if design.conditioning == "step":
        parts["with_seen"] = custom_layers.AtEveryStep(name="with_seen", **options)
    if design.conditioning == "stack":
        parts["with_words"] = keras.layers.Concatenate(name="with_words", **options)
        parts["nothing_seen"] = custom_layers.ZerosLike(
            design.embedding, name="nothing_seen", **options
        )
        parts["no_word"] = custom_layers.ZerosLike(design.embedding, name="no_word", **options)
    for name, rate in dropouts.items():
        if rate:
            parts[name] = keras.layers.Dropout(rate, name=name, **options)
    return parts


def _begun(model: keras.Model, length: int | None) -> tuple:
    """Returns inputs for words and for what `encoder` returns, and the latter as it is used."""
    words = keras.Input((length,), dtype="int32", name="words")
    given = [keras.Input(shape[1:], dtype="float32") for shape in encoder(model).output_shape]
    static = given[0] if design_of(model).conditioning == "step" else None
    rest = given[1:] if static is not None else given
    return words, given, (static, [list(pair) for pair in zip(rest[::2], rest[1::2], strict=True)])


def _decoding_parts(model: keras.Model, *, unroll: bool) -> dict:
    """Returns the layers of a network; one is given its gates' share of the frame vector."""
    parts, design = wording.parts_of(model), design_of(model)
    if design.conditioning != "step":
        return parts
    name = _seeing(design)
    seeing = gates.GatedLSTM(parts[name], unroll=unroll, dtype="float32")
    # It takes words and vector apart, not joined: `list` leaves the two as they are.
    return {**parts, "with_seen": list, name: seeing}


def _seeing(design: Design) -> str:
    """Returns the name of the layer that the frame vector enters at every word."""
    return "lstm2" if design.factored else "lstm1"


def _vectors(design: Design, initializer: str | None) -> keras.initializers.Initializer | str:
    """Returns the initialiser of word vectors, by default as wide as what they stand beside.

    Beside CNN features narrow ones are hardly seen at first. Where words stand alone, wide ones
    drown what the state knows of the frames: trained from scratch, an encoder was never heard.
    """
    if initializer:
        return initial.kernel(initializer)
    wide = design.conditioning == "step" and not design.factored
    return keras.initializers.RandomNormal(stddev=1) if wide else "uniform"


def _flat(static, states) -> list:
    flat = [] if static is None else [static]
    return flat + [value for pair in states for value in pair]


def _encode(parts: dict, design: Design, features) -> tuple:
    """Returns the frame vector that every step sees (or None) and the states (or None)."""
    values = _dropped(parts, "dropout_in", features)
    if design.conditioning == "encoder":
        states = []
        for index in range(design.layers):
            values, *state = parts[f"reader{index + 1}"](values)
            states.append(state)
        return None, states
    if design.conditioning == "stack":
        seen = parts["seen"](values)
        _, states = _stacked(parts, design, seen, parts["no_word"](seen), None)
        return None, states
    vector = parts["pooled"](values)
    if design.conditioning == "step":
        return vector, None
    if design.conditioning == "state":
        names = [(f"state{index + 1}", f"cell{index + 1}") for index in range(design.layers)]
        return None, [[parts[name](vector) for name in pair] for pair in names]
    first = keras.layers.Reshape((1, design.embedding), dtype="float32")(parts["seen"](vector))
    _, states = _chained(parts, design, first, None, None)
    return None, states


def _decode(parts: dict, design: Design, words, static, states) -> tuple:
    """Returns the logits [batch, length, vocabulary] after words, and the states behind them."""
    values = _dropped(parts, "dropout_words", parts["embedding"](words))
    if design.conditioning == "stack":
        values, states = _stacked(parts, design, parts["nothing_seen"](values), values, states)
    else:
        values, states = _chained(parts, design, values, static, states)
    return parts["classes"](_dropped(parts, "dropout_out", values)), states


def _chained(parts: dict, design: Design, values, static, states) -> tuple:
    """Runs the layers one on the other; a frame vector joins the words, or the first layer."""
    after = []
    for index in range(design.layers):
        name = f"lstm{index + 1}"
        if static is not None and name == _seeing(design):
            values = parts["with_seen"]([values, static])
        values, *state = parts[name](
            values, initial_state=None if states is None else states[index]
        )
        after.append(state)
    return values, after


def _stacked(parts: dict, design: Design, seen, words, states) -> tuple:
    """Runs S2VT: the first layer reads frames, the others its output beside the words."""
    values, after = seen, []
    for index in range(design.layers):
        if index == 1:
            values = parts["with_words"]([values, words])
        values, *state = parts[f"lstm{index + 1}"](
            values, initial_state=None if states is None else states[index]
        )
        after.append(state)
    return values, after


def _dropped(parts: dict, name: str, values):
    return parts[name](values) if name in parts else values


def _dense_parts(design: Design) -> list[str]:
    if design.conditioning == "state":
        return [
            f"{what}{index + 1}" for index in range(design.layers) for what in ("state", "cell")
        ]
    return ["seen"] if design.conditioning in ("first_input", "stack") else []


def _check(design: Design, vocabulary_size: int) -> None:
    least = 2 if design.factored or design.conditioning == "stack" else 1
    wrong = None
    if design.conditioning not in CONDITIONINGS:
        wrong = ("conditioning", design.conditioning, " | ".join(CONDITIONINGS))
    elif design.layers < least:
        wrong = ("layers", design.layers, f"{least} or more for this design")
    elif design.factored and design.conditioning != "step":
        wrong = ("factored", True, "false: only a frame vector at every step can be factored")
    elif min(design.units, design.embedding) < 1:
        wrong = ("units", f"{design.units}, embedding {design.embedding}", "1 or more")
    elif vocabulary_size < 1:
        wrong = ("vocabulary", vocabulary_size, "at least one word")
    if wrong:
        key, received, expected = wrong
        raise UserError(
            "no description network",
            where=f"workflow.{key}",
            received=received,
            expected=expected,
            remedy=f"Set workflow.{key} accordingly, or leave it out for its default",
        )
