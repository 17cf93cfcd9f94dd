"""Lists of items and files of class names."""

from .registry import fault
from .world import EXAMPLES, IMAGE, LABELS, VIDEO, World

TITLE = "Lists and class names"
SERIALIZE = ("serialize", "dataset.input_files=bad.train")


@fault(
    "list that is not there",
    "the path, and the key that names it",
    says=("bad.train", "no file there", "Correct"),
)
def missing(world: World):
    return [*SERIALIZE]


@fault("empty list", "what a line should hold", says=("bad.train", "an empty file", "path label"))
def empty(world: World):
    world.write("bad.train", "")
    return [*SERIALIZE]


@fault("folder in the place of a list", "its path", says=("bad.train", "directory", "Correct"))
def folder(world: World):
    (world.folder / "bad.train").mkdir()
    return [*SERIALIZE]


@fault(
    "line that is not UTF-8",
    "file, line and byte",
    says=("bad.train:2", "byte 0xe9", "Save the file as UTF-8"),
)
def not_utf8(world: World):
    world.write("bad.train", f"{VIDEO} 0\nabc\xe9.mp4 0\n".encode("latin-1"))
    return [*SERIALIZE]


@fault("line without a label", "file and line", says=("bad.train:1", VIDEO.name, "label"))
def without_label(world: World):
    world.write("bad.train", f"{VIDEO}\n")
    return [*SERIALIZE]


@fault(
    "label beyond the class names",
    "file, line and the labels there are",
    says=("bad.train:2", "7", "dataset.labels"),
)
def label_out_of_range(world: World):
    world.write("bad.train", f"{VIDEO} 0\n{VIDEO} 7\n")
    return [*SERIALIZE, LABELS]


@fault("negative label", "file and line", says=("bad.train:1", "-1", "label"))
def negative_label(world: World):
    world.write("bad.train", f"{VIDEO} -1\n")
    return [*SERIALIZE]


@fault(
    "class name that nobody knows",
    "file, line and the known names",
    says=("bad.train:1", "up", "dataset.labels"),
)
def unknown_name(world: World):
    world.write("bad.train", f"{VIDEO} up\n")
    return [*SERIALIZE, LABELS]


@fault(
    "paths that lead nowhere",
    "the first line, and how many more there are",
    says=("bad.train:1", "a.mp4", "1 more"),
)
def paths_missing(world: World):
    world.write("bad.train", "a.mp4 0\nb.mp4 1\n")
    return [*SERIALIZE]


@fault("one item on two lines", "both lines", says=("bad.train:2", "val_left_0.mp4", "bad.train:1"))
def item_twice(world: World):
    world.write("bad.train", f"{VIDEO} 0\n{VIDEO} 1\n")
    return [*SERIALIZE]


@fault("path with a NUL in it", "file and line", says=("bad.train:1", "b.mp4", "Correct"))
def nul(world: World):
    world.write("bad.train", "a\0b.mp4 0\n")
    return [*SERIALIZE]


@fault(
    "file of a suffix that is neither image nor video",
    "file and line, and the suffixes there are",
    says=("bad.train:1", "notes.docx", "Convert or rename"),
)
def unknown_suffix(world: World):
    world.write("notes.docx", "text")
    world.write("bad.train", "notes.docx 0\n")
    return [*SERIALIZE]


@fault("line that can be read in two ways", "both readings", says=("bad.train:1", "'a 1'", "TAB"))
def ambiguous(world: World):
    world.copy(IMAGE.parent, "a")
    world.copy(IMAGE.parent, "a 1")
    world.write("bad.train", "a 1 2\n")
    return [*SERIALIZE]


@fault(
    "a label among captions",
    "file and line, and what its list holds",
    says=("bad.train:3", "red_right.jpg", "TAB"),
)
def label_among_captions(world: World):
    images = [EXAMPLES / "images" / f"{name}.jpg" for name in ("red_left", "blue_left")]
    lines = "".join(f"{image}\ta disc on the left\n" for image in images)
    world.write("bad.train", lines + f"{EXAMPLES}/images/red_right.jpg 1\n")
    return [*SERIALIZE]


@fault(
    "two lists of one role",
    "both lists; nothing is serialized",
    says=("dataset.input_files", "b.train", "Join them"),
)
def two_of_one_role(world: World):
    world.write("a.train", f"{VIDEO} 0\n")
    world.write("b.train", f"{VIDEO} 1\n")
    return ["train", "dataset=lists", "dataset.input_files=[a.train,b.train]"]


@fault(
    "lists in two folders, without a folder for the records",
    "the key to set",
    says=("output_folder", "null", "one folder"),
)
def two_folders(world: World):
    world.write("a/a.train", f"{VIDEO} 0\n")
    world.write("b/b.val", f"{VIDEO} 1\n")
    return ["serialize", "dataset.input_files=[a/a.train,b/b.val]"]


@fault(
    "every line faulty, with `on_error=skip`",
    "no records of nothing",
    says=("bad.train: ", "nowhere.mp4 was skipped", "Mend"),
)
def all_skipped(world: World):
    world.write("bad.train", "nowhere.mp4 0\n")
    return [*SERIALIZE, "on_error=skip"]


@fault(
    "file of class names that is not there",
    "its path, and the key that names it",
    says=("none.txt", "no file there", "dataset.labels"),
)
def labels_missing(world: World):
    world.write("bad.train", f"{VIDEO} 0\n")
    return [*SERIALIZE, "dataset.labels=none.txt"]


@fault("class name that stands twice", "both lines", says=("names.txt:3", "left", "names.txt:1"))
def name_twice(world: World):
    world.write("bad.train", f"{VIDEO} 0\n")
    world.write("names.txt", "left\nright\nleft\n")
    return [*SERIALIZE, "dataset.labels=names.txt"]


@fault(
    "class name that is the number of another class",
    "the line, and why it would be ambiguous",
    says=("names.txt:1", "1", "ambiguous"),
)
def name_is_number(world: World):
    world.write("bad.train", f"{VIDEO} 0\n")
    world.write("names.txt", "1\n0\n")
    return [*SERIALIZE, "dataset.labels=names.txt"]


@fault(
    "one file in two splits",
    "both places",
    says=("b.val:1", "a.train:1", "Take it out of one"),
    told="finding",
)
def same_file_in_two_splits(world: World):
    world.write("a.train", f"{VIDEO} 0\n")
    world.write("b.val", f"{VIDEO} 0\n")
    return ["check", "dataset.input_files=[a.train,b.val]"]


@fault(
    "one content under two names in two splits",
    "both places",
    says=("b.val:1", "a.train:1", "Take it out of one"),
    told="finding",
)
def same_content_in_two_splits(world: World):
    world.copy(VIDEO, "copied.mp4")
    world.write("a.train", f"{VIDEO} 0\n")
    world.write("b.val", "copied.mp4 0\n")
    return ["check", "dataset.input_files=[a.train,b.val]"]
