"""Answers `--help` from the `conf/` folder, without Hydra and without TensorFlow."""

from __future__ import annotations

import pathlib
import re

VERBS = {
    "serialize": "a data set -> TFRecords, metadata and a report of what was skipped",
    "check": "verifies lists, media, records and the split; deletes nothing",
    "train": "fits a model; validates whole videos, or captions, every epoch; resumable",
    "evaluate": "a run on a split: metrics, per class, confusion, predictions, pictures",
    "predict": "labels or captions for files, folders or globs; optionally an annotated video",
    "retrieve": "finds each image's captions among all, and the image of each caption",
    "fuse": "several streams as one, such as RGB and flow, beside each of them alone",
    "browse": "draws what a network sees of a data set, its classes and its lengths",
    "import": "weights of Caffe, bvlc_alexnet.npy or torchvision's VGG16 -> a Keras file",
    "export": "a run as SavedModel, ONNX or LiteRT, compared with Keras, labels beside it",
    "report": "a run or a sweep as one HTML file: curves, confusion, best and worst items",
    "demo": "a web page: drop a video or an image, see what one run or several make of it",
}
EXAMPLES = {
    "serialize": (
        "lrcn serialize dataset.input_files=[data.train,data.val] clipframe_mode=none",
        "lrcn serialize dataset.input_files=data.train clipframe_mode=iterative "
        "clipframe_mode.num_frames_per_clip=16 do_shuffle=true",
        "lrcn serialize dataset.input_files=data.train output_folder=FOLDER "
        "shard_index=0 shard_count=8",
        "lrcn serialize output_folder=FOLDER merge=true",
    ),
    "check": (
        "lrcn check dataset.input_files=[data.train,data.val] report=findings.json",
        "lrcn check dataset=records dataset.train=data.train.tfrecord",
    ),
    "train": (
        "lrcn train",
        "lrcn train dataset=records dataset.train=data.train.tfrecord "
        "dataset.val=data.val.tfrecord backbone=mobilenet backbone.weights=imagenet",
        "lrcn train -m workflow=singleframe,lstm pooling=avg,last",
        "lrcn train -m seed=0,1,2,3 hydra/launcher=joblib hydra.launcher.n_jobs=2",
        "lrcn train workflow=imgdesc_step dataset=flickr dataset.images=IMAGES "
        "dataset.captions=Flickr8k.token.txt dataset.train=train.txt dataset.val=dev.txt "
        "backbone=mobilenet backbone.weights=imagenet",
        "lrcn train resume=outputs/train/2026-01-01_12-00-00 epochs=40",
        "KERAS_BACKEND=jax lrcn train strategy=hosts strategy.count=2 "
        "strategy.coordinator=node0:12345 strategy.index=0 hydra.run.dir=runs/together",
    ),
    "evaluate": (
        "lrcn evaluate run=outputs/train/2026-01-01_12-00-00",
        "lrcn evaluate run=RUN split=val pooling=last augment=ten_crop",
        "lrcn evaluate run=RUN search=sample search.samples=100",
    ),
    "predict": (
        "lrcn predict run=RUN input=video.mp4 overlay=labelled.mp4",
        "lrcn predict run=RUN 'input=clips/*.avi' top_k=3",
        "lrcn predict run=RUN input=photo.jpg search=beam search.width=5",
    ),
    "retrieve": ("lrcn retrieve run=RUN", "lrcn retrieve run=RUN split=val normalise=false"),
    "fuse": (
        "lrcn fuse runs=[RGB,FLOW]",
        "lrcn fuse runs=[RGB,FLOW] weights=[.5,.5] split=val",
        "lrcn fuse runs=[multirun/rgb/*workflow=lstm*,multirun/flow/*workflow=lstm*]",
    ),
    "browse": (
        "lrcn browse augment=crop_mirror",
        "lrcn browse dataset=lists dataset.input_files=[data.train,data.val] items=24",
        "lrcn browse run=RUN split=val",
    ),
    "import": (
        "lrcn import file=bvlc_alexnet.npy",
        "lrcn import file=bvlc_reference_caffenet.caffemodel backbone=caffenet backbone.layer=fc7",
        "lrcn import file=lrcn_flow.caffemodel 'mean=[128,128,128]' output=flow.keras",
    ),
    "export": (
        "lrcn export run=RUN format=saved_model",
        "lrcn export run=RUN format=onnx time=fixed",
        "lrcn export run=CAPTIONER format=litert search=greedy",
    ),
    "report": (
        "lrcn report run=RUN",
        "lrcn report run=RUN split=val items=10 output=report.html",
        "lrcn report run=multirun/train",
    ),
    "demo": (
        "lrcn demo run=RUN",
        "lrcn demo run=[LSTM,SINGLEFRAME] port=8000",
    ),
}
_KEY = re.compile(r"^(?P<indent> *)(?P<key>\w+): *(?P<value>[^#]*?) *(?:# *(?P<comment>.*))?$")
_DEFAULT = re.compile(r"^ *- (?P<group>\w+): (?P<member>\w+) *$")
_MORE = re.compile(r"^ +# *(?P<comment>.*)$")
_OF_HYDRA = ("defaults", "hydra")
# Keys that tell the members of a group apart: they are chosen, not set.
_DISCRIMINATORS = ("source", "name")


def conf_folder() -> pathlib.Path:
    """Returns the folder of the configuration: in the wheel, else beside the package."""
    package = pathlib.Path(__file__).parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").exists():
            return folder
    raise FileNotFoundError(f"no conf/ folder in {package} or beside it: install lrcn again")


def overview() -> str:
    """Returns the answer to `lrcn --help`."""
    lines = ["usage: lrcn VERB [hydra flags] [group=member ...] [key=value ...]", "", "verbs:"]
    lines += [f"  {verb:<11}{does}" for verb, does in VERBS.items()]
    lines += [
        "",
        "`lrcn VERB --help` lists the groups, keys and examples of a verb.",
        "A first run: `lrcn train`, then `lrcn evaluate run=FOLDER` with the folder it prints.",
    ]
    return "\n".join(lines)


def of_verb(verb: str, overrides: list[str] = ()) -> str:
    """Returns the answer to `lrcn VERB [overrides] --help`.

    Args:
        verb: A key of `VERBS`.
        overrides: The command line; chosen members decide which keys are listed.
    """
    chosen = members_in_use(verb, overrides)
    lines = [f"lrcn {verb}: {VERBS[verb]}", ""]
    lines += [f"usage: lrcn {verb} [hydra flags] [group=member ...] [key=value ...]", ""]
    if chosen:
        lines.append("groups (the one in use, then the others):")
        lines += [_group_line(group, member) for group, member in chosen.items()]
        lines.append("")
    lines.append("keys:")
    lines += _aligned(keys_of(conf_folder() / f"{verb}.yaml"))
    for group, member in chosen.items():
        file = conf_folder() / group / f"{member}.yaml"
        keys = [(f"{group}.{key}", *rest) for key, *rest in keys_to_set(file)]
        if keys and member != "null":
            lines += ["", f"{group}={member}: {summary_of(file)}", *_aligned(keys)]
    lines += ["", "hydra flags: -m (sweep), --cfg job (print the configuration), --config-dir DIR"]
    lines += ["", "examples:", *(f"  {example}" for example in EXAMPLES[verb])]
    return "\n".join(lines)


def members(group: str) -> list[str]:
    """Returns the members of a configuration group."""
    return sorted(file.stem for file in (conf_folder() / group).glob("*.yaml"))


def members_in_use(verb: str, overrides: list[str] = ()) -> dict[str, str]:
    """Returns the member of every group of a verb, after the overrides."""
    text = (conf_folder() / f"{verb}.yaml").read_text(encoding="utf-8")
    found = (_DEFAULT.match(line) for line in text.splitlines())
    chosen = {match["group"]: match["member"] for match in found if match}
    for override in overrides:
        group, _, member = override.partition("=")
        if group in chosen and member in members(group):
            chosen[group] = member
    return chosen


def known_keys(verb: str, key: str, overrides: list[str] = ()) -> tuple[str, list[str]]:
    """Returns the group member a dotted key belongs to, as ` (group=member)`, and its keys."""
    chosen = members_in_use(verb, overrides)
    group = key.partition(".")[0]
    if "." in key and group in chosen:
        file = conf_folder() / group / f"{chosen[group]}.yaml"
        names = [name for name, *_ in keys_to_set(file)]
        return f" ({group}={chosen[group]})", names
    names = [name for name, *_ in keys_of(conf_folder() / f"{verb}.yaml")]
    return "", [*names, *chosen]


def members_with(key: str, value: str) -> list[str]:
    """Returns the members of a dotted key's group that have it, as `group=member`.

    Args:
        key: The key.
        value: What was given; where a number is due, only a number fits.
    """
    group, _, name = key.partition(".")
    files = {member: conf_folder() / group / f"{member}.yaml" for member in members(group)}
    return [
        f"{group}={member}"
        for member, file in files.items()
        for known, default, _ in keys_to_set(file)
        if known == name
        if _is_number(value) or not _is_number(default)
    ]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?[\d.]+(e-?\d+)?", text) is not None


def _group_line(group: str, member: str) -> str:
    others = [name for name in members(group) if name != member]
    return f"  {group:<16}{' | '.join([member, *others])}"


def summary_of(file: pathlib.Path) -> str:
    """Returns what a configuration file says of itself in the comment that it opens with."""
    comments = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        comments.append(line.lstrip("# ").strip())
    return " ".join(comment for comment in comments if not comment.startswith("@package"))


def keys_of(file: pathlib.Path) -> list[tuple[str, str, str]]:
    """Returns (key, value, comment) of the top-level keys of a configuration file.

    A comment may go on in the lines below it.
    """
    if not file.exists():
        return []
    found: list[tuple[str, str, str]] = []
    belongs = False  # whether the line before is that of the last key that was found
    for line in file.read_text(encoding="utf-8").splitlines():
        match, more = _KEY.match(line), _MORE.match(line)
        if belongs and more:
            key, value, comment = found[-1]
            found[-1] = (key, value, f"{comment} {more['comment']}")
            continue
        belongs = bool(match and not match["indent"] and match["key"] not in _OF_HYDRA)
        if belongs:
            found.append((match["key"], match["value"], match["comment"] or ""))
    return found


def keys_to_set(file: pathlib.Path) -> list[tuple[str, str, str]]:
    """Returns the keys of a member of a group, without the one that tells the members apart."""
    found = keys_of(file)
    names = [key for key, *_ in found]
    own = next((key for key in _DISCRIMINATORS if key in names), None)
    return [keys for keys in found if keys[0] != own]


def _aligned(keys: list[tuple[str, str, str]]) -> list[str]:
    if not keys:
        return []
    pairs = [(f"{key}={value}", comment) for key, value, comment in keys]
    width = max(len(pair) for pair, _ in pairs) + 2
    return [f"  {pair:<{width}}{comment}".rstrip() for pair, comment in pairs]
