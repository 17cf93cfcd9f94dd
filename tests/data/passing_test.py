"""Images of pairs of frames, however the frames come by."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn import errors
from lrcn.data import containers, images, lists, modality, passing, video

DIFFERENCE = modality.Modality("difference")
FLOW = modality.Modality("flow")


def grey(value):
    return np.full([8, 8, 3], value, np.uint8)


def shown(jpeg):
    return int(np.median(images.decode(jpeg)))


def passed(kept, wanted, values, kind=DIFFERENCE):
    """Returns the grey of each wanted image of frames of the given greys, and the most held."""
    one = passing.Passing(
        np.asarray(kept), wanted, rgb=grey, modality=kind, quality=100, where="v.mp4"
    )
    made, most = {}, 0
    for number, value in enumerate(values):
        made.update((place, shown(jpeg)) for place, (jpeg, _) in one.visit(number, value))
        most = max(most, len(one._held))
    return made, most


def test_images_are_of_a_frame_and_the_one_before():
    made, most = passed(range(5), range(5), [0, 20, 20, 60, 50])
    assert made == {0: 138, 1: 138, 2: 128, 3: 148, 4: 123}
    assert most == 1


def test_only_what_is_needed_is_looked_at():
    one = passing.Passing(
        np.arange(20), [7, 3], rgb=grey, modality=DIFFERENCE, quality=95, where="v.mp4"
    )
    assert one.needed == [2, 3, 6, 7]
    assert one.visit(4, "is not even converted") == []


def test_pairs_are_of_the_frames_that_count():
    made, _ = passed([0, 3, 6], [1, 2], [0, 99, 99, 40, 99, 99, 80])
    assert made == {1: 148, 2: 148}


def test_a_frame_that_is_shown_twice_has_not_moved():
    made, _ = passed([0, 0, 1, 1], range(4), [10, 30])
    assert made == {0: 128, 1: 128, 2: 138, 3: 128}


@given(st.lists(st.integers(0, 255), min_size=2, max_size=12), st.data())
@settings(max_examples=40, deadline=None)
def test_what_is_asked_for_does_not_change_an_image(values, data):
    places = range(len(values))
    everything, _ = passed(places, places, values)
    wanted = data.draw(st.lists(st.sampled_from(places), min_size=1))
    some, most = passed(places, wanted, values)
    assert some == {place: everything[place] for place in wanted}
    assert most <= 1


def test_frames_of_other_sizes_are_told():
    one = passing.Passing(
        np.arange(2), [1], rgb=lambda n: np.zeros([n, 8, 3], np.uint8), modality=FLOW,
        quality=95, where="v.mp4",
    )  # fmt: skip
    one.visit(0, 8)
    with pytest.raises(errors.UserError, match=r"v.mp4.*differ in size.*\[9, 8\].*raw_image_shape"):
        one.visit(1, 9)


def item(path):
    return lists.Item(path.name, str(path), lists.kind_of(path), where="list:7")


def jpegs(one, *, indices=None, **options):
    choose = None if indices is None else lambda n: np.asarray(indices)
    return video.read(one, video.Reading(**options), choose)


@pytest.mark.parametrize("kind", [DIFFERENCE, FLOW])
def test_video_folder_and_array_agree(tmp_path, make_video, kind):
    rgb, frames = containers.RgbConverter(), []
    path = make_video(tmp_path / "v.mp4")
    containers.decode(path, lambda _, frame: frames.append(rgb(frame)))
    folder = tmp_path / "f"
    folder.mkdir()
    for number, frame in enumerate(frames):
        images.PIL.Image.fromarray(frame).save(folder / f"{number}.png")
    array = lists.Item("a", "a", "array", load=lambda: iter(frames))
    of_folder = jpegs(item(folder), frame_format="png", modality=kind)
    of_array = jpegs(array, modality=kind)
    of_video = jpegs(item(path), modality=kind)
    assert of_folder.count == of_array.count == of_video.count == 20
    assert of_folder.jpegs == of_array.jpegs == of_video.jpegs
    for one in (array, item(path)):
        everything = jpegs(one, modality=kind).jpegs
        assert len(everything) == 20 and everything[0] == everything[1]
        assert jpegs(one, modality=kind, indices=[3, 4, 17]).jpegs == [
            everything[index] for index in (3, 4, 17)
        ]


def test_motion_is_between_frames_after_the_step(tmp_path, make_video):
    path = item(make_video(tmp_path / "v.mp4"))
    step = images.decode(jpegs(path, modality=DIFFERENCE, frame_step=4).jpegs[2])
    once = images.decode(jpegs(path, modality=DIFFERENCE).jpegs[8])
    # Green grows by 5 a frame, and half of the change is stored.
    assert np.median(step[-8:, :, 1]) == pytest.approx(128 + 10, abs=2)
    assert np.median(once[-8:, :, 1]) == pytest.approx(128 + 2.5, abs=2)


@pytest.mark.parametrize("make", ["video", "folder", "image"])
def test_one_frame_has_no_motion(tmp_path, make_video, make_frames, make):
    paths = {"video": tmp_path / "v.mp4", "folder": tmp_path / "f", "image": tmp_path / "f/1.jpg"}
    make_video(paths["video"], 1)
    make_frames(paths["folder"], 1)
    path = paths[make]
    with pytest.raises(errors.UserError) as caught:
        jpegs(item(path), modality=FLOW)
    told = str(caught.value)
    assert "one frame shows no motion" in told and "list:7" in told and path.name in told
    assert "\n" not in told


def test_frames_of_changing_size_are_refused_or_resized(tmp_path, make_frames):
    folder = make_frames(tmp_path / "f", 3)
    images.PIL.Image.fromarray(np.zeros([20, 30, 3], np.uint8)).save(folder / "4.jpg")
    with pytest.raises(errors.UserError, match=r"differ in size.*\[20, 30\].*raw_image_shape"):
        jpegs(item(folder), modality=FLOW)
    assert jpegs(item(folder), modality=FLOW, image_shape=(24, 32, 3)).size == (24, 32)
