"""Data sets that are a folder: a folder a class, and UCF101."""

from .registry import fault
from .world import VIDEO, World

TITLE = "A folder per class, UCF101"
FOLDER = ("check", "dataset=folder", "dataset.root=videos")
UCF = ("check", "dataset=ucf101", "dataset.videos=videos", "dataset.lists=lists")


def classes(world: World, *names: str, videos: int = 3) -> None:
    """Makes a folder a class with videos."""
    for label, name in enumerate(names):
        for number in range(videos):
            world.copy(VIDEO, f"videos/{name}/p{number}_{label}.mp4")


def ucf(world: World, train: str, test: str, *, index: str = "1 Walk\n2 Run\n") -> None:
    """Makes the official lists of a split, and two videos."""
    world.write("lists/classInd.txt", index)
    world.write("lists/trainlist01.txt", train)
    world.write("lists/testlist01.txt", test)
    world.copy(VIDEO, "videos/v_Walk_g01_c01.avi")
    world.copy(VIDEO, "videos/v_Run_g02_c01.avi")


@fault(
    "root folder that is not there",
    "its path and key",
    says=("dataset.root", "videos", "Correct"),
    told="finding",
)
def root_missing(world: World):
    return [*FOLDER]


@fault(
    "root without a folder of a class",
    "what stands in it",
    says=("dataset.root", "videos", "dataset=lists"),
    told="finding",
)
def without_classes(world: World):
    world.copy(VIDEO, "videos/film.mp4")
    return [*FOLDER]


@fault(
    "folders that are splits, not classes",
    "their names, and the way to give splits",
    says=("dataset.root", "train, val", "dataset=lists"),
    told="finding",
)
def splits_as_classes(world: World):
    classes(world, "train/walk", "val/walk")
    return [*FOLDER]


@fault(
    "class folder without items",
    "its path",
    says=("videos/run", "an empty folder", "Fill it"),
    told="finding",
)
def class_empty(world: World):
    classes(world, "walk")
    (world.folder / "videos" / "run").mkdir()
    return [*FOLDER]


@fault(
    "pattern of groups that is no regular expression",
    "the key and where it breaks",
    says=("dataset.groups", "(p", "Correct"),
    told="finding",
)
def groups_unreadable(world: World):
    classes(world, "walk", "run")
    return [*FOLDER, "dataset.groups='(p'"]


@fault(
    "pattern of groups that an item does not match",
    "the item",
    says=("dataset.groups", "run/p0_1.mp4", "rename the item"),
    told="finding",
)
def groups_without_match(world: World):
    classes(world, "walk", "run")
    return [*FOLDER, r"dataset.groups='person(\d+)'"]


@fault(
    "fractions that sum to more than 1",
    "the key and its sum",
    says=("dataset.fractions", "0.9", "[0.8,0.1,0.1]"),
    told="finding",
)
def fractions(world: World):
    classes(world, "walk", "run")
    return [*FOLDER, "dataset.fractions=[.9,.9,.9]"]


@fault(
    "fewer groups than splits",
    "how many there are",
    says=("dataset.groups", "1 for train, val, test", "dataset.fractions"),
    told="finding",
)
def too_few_groups(world: World):
    classes(world, "walk", "run", videos=1)
    return [*FOLDER, "dataset.groups='(p)'"]


@fault(
    "group that no item has",
    "the groups there are",
    says=("dataset.val_groups", "p9", "p1"),
    told="finding",
)
def unknown_group(world: World):
    classes(world, "walk", "run")
    return [*FOLDER, r"dataset.groups='(p\d)'", "dataset.val_groups=[p9]"]


@fault(
    "one group for two splits",
    "the group",
    says=("dataset.test_groups", "p1", "one of the two"),
    told="finding",
)
def group_in_two_splits(world: World):
    classes(world, "walk", "run")
    given = ("dataset.val_groups=[p1]", "dataset.test_groups=[p1]")
    return [*FOLDER, r"dataset.groups='(p\d)'", *given]


@fault(
    "UCF101: split that is not in the folder",
    "the lists there are",
    says=("trainlist03.txt", "no file there", "dataset.lists"),
    told="finding",
)
def ucf_split(world: World):
    ucf(world, "Walk/v_Walk_g01_c01.avi 1\n", "Run/v_Run_g02_c01.avi\n")
    return [*UCF, "dataset.split=3"]


@fault(
    "UCF101: videos that are not there",
    "how many, and the first",
    says=("trainlist01.txt:2", "v_Walk_g09_c01", "Complete the videos"),
    told="finding",
)
def ucf_videos(world: World):
    ucf(world, "Walk/v_Walk_g01_c01.avi 1\nWalk/v_Walk_g09_c01.avi 1\n", "Run/v_Run_g02_c01.avi\n")
    return [*UCF, "dataset.val_groups=0"]


@fault(
    "UCF101: class that is not in classInd.txt",
    "the classes there are",
    says=("dataset.classes", "Fly", "Walk, Run"),
    told="finding",
)
def ucf_class(world: World):
    ucf(world, "Walk/v_Walk_g01_c01.avi 1\n", "Run/v_Run_g02_c01.avi\n")
    return [*UCF, "dataset.classes=[Fly]"]


@fault(
    "UCF101: line that is none of its lists",
    "file and line",
    says=("trainlist01.txt:1", "v_Walk.avi 1", "Restore"),
    told="finding",
)
def ucf_line(world: World):
    ucf(world, "v_Walk.avi 1\n", "Run/v_Run_g02_c01.avi\n")
    return [*UCF, "dataset.val_groups=0"]
