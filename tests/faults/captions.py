"""Captions of Flickr, COCO and MSVD."""

import json

from .registry import fault
from .world import IMAGE, VIDEO, World

TITLE = "Captions: Flickr, COCO, MSVD"
FLICKR = ("check", "dataset=flickr", "dataset.images=images", "dataset.captions=tokens.txt")
COCO = ("check", "dataset=coco", "dataset.images=images")
MSVD = ("check", "dataset=msvd", "dataset.videos=videos", "dataset.captions=captions.json")


def flickr(world: World, tokens: str, names: str = "a.jpg\n") -> list[str]:
    """Makes an image, a file of captions and a list of names."""
    world.copy(IMAGE, "images/a.jpg")
    world.write("tokens.txt", tokens)
    world.write("train.txt", names)
    return [*FLICKR, "dataset.train=train.txt"]


def coco(world: World, **changes: object) -> list[str]:
    """Makes an image and annotations of it."""
    world.copy(IMAGE, "images/a.jpg")
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"id": 1, "image_id": 1, "caption": "a red disc"}],
    }
    world.write("train.json", json.dumps({**content, **changes}))
    return [*COCO, "dataset.annotations={train: train.json}"]


def msvd(world: World, **changes: object) -> list[str]:
    """Makes a clip and the JSON of its captions."""
    world.copy(VIDEO, "videos/a_1_2.mp4")
    clip = {"file": "a_1_2.mp4", "split": "train", "captions": ["a disc moves"]}
    world.write("captions.json", json.dumps([{**clip, **changes}]))
    return [*MSVD]


@fault(
    "Flickr: no split named",
    "the keys to set",
    says=("dataset.train", "neither", "dataset.val=FILE"),
    told="finding",
)
def flickr_no_split(world: World):
    flickr(world, "a.jpg#0\ta red disc\n")
    return [*FLICKR]


@fault(
    "Flickr: folder of images that is not there",
    "its path and key",
    says=("dataset.images", "images", "Correct dataset.images"),
    told="finding",
)
def flickr_no_images(world: World):
    world.write("tokens.txt", "a.jpg#0\ta red disc\n")
    world.write("train.txt", "a.jpg\n")
    return [*FLICKR, "dataset.train=train.txt"]


@fault(
    "Flickr: two captions of one number",
    "both lines",
    says=("tokens.txt:2", "tokens.txt:1", "number it anew"),
    told="finding",
)
def flickr_number_twice(world: World):
    return flickr(world, "a.jpg#0\ta red disc\na.jpg#0\ta disc\n")


@fault(
    "Flickr: line without a TAB",
    "file and line",
    says=("tokens.txt:1", "a.jpg#0 a red disc", "TAB"),
    told="finding",
)
def flickr_no_tab(world: World):
    return flickr(world, "a.jpg#0 a red disc\n")


@fault(
    "Flickr: listed image without a caption",
    "the line of the list",
    says=("train.txt:1", "a.jpg", "Add its captions"),
    told="finding",
)
def flickr_no_caption(world: World):
    return flickr(world, "b.jpg#0\ta red disc\n")


@fault(
    "Flickr: listed image that is not there",
    "the line of the list, and the path",
    says=("train.txt:2", "images/b.jpg", "Correct dataset.images"),
    told="finding",
)
def flickr_image_missing(world: World):
    return flickr(world, "a.jpg#0\ta red disc\nb.jpg#0\ta disc\n", "a.jpg\nb.jpg\n")


@fault(
    "caption without a word",
    "its line",
    says=("tokens.txt:1", "... !", "Write the caption"),
    told="finding",
)
def no_word(world: World):
    return flickr(world, "a.jpg#0\t... !\n")


@fault(
    "caption of more than 1,000 words",
    "its line and length",
    says=("tokens.txt:1", "1001 words", "1000 words"),
    told="finding",
)
def too_long(world: World):
    return flickr(world, "a.jpg#0\t" + "disc " * 1001 + "\n")


@fault(
    "COCO: JSON that is cut short",
    "file and line",
    says=("train.json:1", "Unterminated", "captions"),
    told="finding",
)
def coco_cut(world: World):
    given = coco(world)
    whole = world.folder / "train.json"
    world.cut(whole, "train.json")
    return given


@fault(
    "COCO: JSON of another kind",
    "the keys it has",
    says=("train.json", "info", "dataset.annotations"),
    told="finding",
)
def coco_other_json(world: World):
    given = coco(world)
    world.write("train.json", '{"info": 1}')
    return given


@fault(
    "COCO: annotation of an unknown image",
    "which annotation",
    says=("annotations[0]", "image_id 9", "dataset.annotations"),
    told="finding",
)
def coco_unknown_image(world: World):
    return coco(world, annotations=[{"id": 1, "image_id": 9, "caption": "a disc"}])


@fault(
    "COCO: annotation without a caption",
    "which annotation",
    says=("annotations[0]", "image_id", "dataset.annotations"),
    told="finding",
)
def coco_no_caption(world: World):
    return coco(world, annotations=[{"id": 1, "image_id": 1, "bbox": [0, 0, 1, 1]}])


@fault(
    "COCO: image id that stands twice",
    "both images",
    says=("images[1]", "images[0]", "another id"),
    told="finding",
)
def coco_id_twice(world: World):
    return coco(world, images=[{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}])


@fault(
    "COCO: image that is not in its folder",
    "which image, and the path",
    says=("images[0]", "images/b.jpg", "Correct dataset.images"),
    told="finding",
)
def coco_image_missing(world: World):
    return coco(world, images=[{"id": 1, "file_name": "b.jpg"}])


@fault(
    "COCO: list that names an unknown image",
    "its line",
    says=("ids.txt:1", "77", "remove the line"),
    told="finding",
)
def coco_unknown_id(world: World):
    world.write("ids.txt", "77\n")
    return [*coco(world), "+dataset.ids={train: ids.txt}"]


@fault(
    "COCO: folders of other splits than the annotations",
    "both",
    says=("dataset.images", "val", "{train: FOLDER}"),
    told="finding",
)
def coco_other_splits(world: World):
    return [*coco(world), "dataset.images={val: images}"]


@fault(
    "MSVD: split of no such name",
    "which clip",
    says=("[0].split", "training", "train, val, test"),
    told="finding",
)
def msvd_split(world: World):
    return msvd(world, split="training")


@fault(
    "MSVD: captions that are no list",
    "which clip",
    says=("[0].captions", "a disc", "Correct the file"),
    told="finding",
)
def msvd_captions(world: World):
    return msvd(world, captions="a disc moves")


@fault(
    "MSVD: clip that is not there",
    "which clip, and the path",
    says=("[0].file", "videos/b.mp4", "Correct dataset.videos"),
    told="finding",
)
def msvd_missing(world: World):
    return msvd(world, file="b.mp4")


@fault(
    "MSVD: sentences without a mapping",
    "the key to set",
    says=("dataset.mapping", "null", "dataset.mapping=FILE"),
    told="finding",
)
def msvd_mapping(world: World):
    world.copy(VIDEO, "videos/a.mp4")
    world.write("s.txt", "vid1\ta disc\n")
    return [*MSVD[:-1], "dataset.captions={train: s.txt}"]
