import numpy as np

from lrcn.data import text
from lrcn.data.text import BEGIN
from lrcn.models import description, networks
from lrcn.scoring import likelihood

CAPTIONS = [[4, 5], [6], [4, 5, 6, 7, 8], [9, 9, 4]]


def found(network, features, captions, length=6):
    given = description.encoder(network)(features)
    pairs = dict(
        zip(("words", "targets", "mask"), text.batch(captions, length=length), strict=True)
    )
    given = [np.asarray(values) for values in (given if isinstance(given, list) else [given])]
    return likelihood.Likelihood(networks.head(network)).predict_on_batch({"given": given, **pairs})


def test_a_pair_has_the_sum_over_words_and_end_of_the_training_graph(network, features, next_word):
    matrix = found(network, features, CAPTIONS)
    assert matrix.shape == (len(features), len(CAPTIONS))
    for column, caption in enumerate(CAPTIONS):
        words = np.tile([[BEGIN, *caption]], (len(features), 1))
        values = next_word(network, features, words)
        said = [values[:, place, word] for place, word in enumerate([*caption, text.END])]
        np.testing.assert_allclose(matrix[:, column], np.sum(said, axis=0), atol=1e-4)


def test_padding_and_company_change_no_score(stepwise, features):
    together = found(stepwise, features, CAPTIONS)
    for column, caption in enumerate(CAPTIONS):
        alone = found(stepwise, features[2:4], [caption], length=len(caption) + 1)
        np.testing.assert_allclose(alone[:, 0], together[2:4, column], atol=1e-5)


def test_probabilities_of_all_captions_of_one_word_do_not_exceed_one(network, features, vocabulary):
    matrix = found(network, features, [[word] for word in range(vocabulary.size)], length=2)
    total = np.exp(matrix).sum(axis=1)
    assert (total > 0).all() and (total < 1).all()
