from lrcn import settings


def test_paths_of_a_member_are_its_own():
    assert settings.paths_of(settings.Folder) == ("root",)
    assert settings.paths_of(settings.Flickr) == ("images", "captions", "train", "val", "test")
    assert settings.paths_of(settings.MovingShapes) == ()  # its `train` is a number
    assert settings.paths_of(settings.ImgdescStep) == ("word_vectors",)


def test_a_path_may_have_a_default():
    assert settings.Vocabulary().file is None
    assert settings.paths_of(settings.Vocabulary) == ("extra_text", "file")
