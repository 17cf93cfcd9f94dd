import tensorflow as tf

from lrcn.data import framing


def test_places_are_those_of_whole_records(tmp_path):
    file = tmp_path / "a.tfrecord"
    texts = [b"", b"one", b"x" * 5000, b"last"]
    with tf.io.TFRecordWriter(str(file)) as writer:
        for text in texts:
            writer.write(text)
    assert [place.read() for place in framing.places(file)] == texts
    content = file.read_bytes()
    for missing in (1, 4, 5, 8, 15):
        file.write_bytes(content[:-missing])
        assert [place.read() for place in framing.places(file)] == texts[:-1]
    file.write_bytes(b"")
    assert not list(framing.places(file))
