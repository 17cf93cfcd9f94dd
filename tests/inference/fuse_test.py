"""Fusions of synthetic runs, against the sums one would do by hand."""

import csv
import io
import json
import os

import numpy as np
import pytest
from PIL import Image

from lrcn import files
from lrcn.errors import UserError
from lrcn.inference import fuse, streams

# Six items of class 0. The first stream is right of the first three, the second one of the others,
# and more surely so: from a weight of 1/3 of the first one on, all six are right.
A = [[0.6, 0.4]] * 3 + [[0.4, 0.6]] * 3
B = [[0.45, 0.55]] * 3 + [[0.8, 0.2]] * 3
GROUPS = ["g1", "g1", "g2", "g2", "g3", "g3"]


def fused(folder, *members, **changes):
    found = streams.find([[str(run.path) for run in own] for own in members])
    return fuse.fuse(found, split="test", folder=folder, **changes)


@pytest.fixture
def pair(write_run):
    both = {"groups": GROUPS, "splits": ("test", "val")}
    a = write_run("a", values=A, modality="rgb", **both)
    b = write_run("b", values=B, modality="flow", **both)
    return [a], [b]


def by_name(result):
    return {row.name: row for row in result.rows}


def test_each_alone_the_papers_weights_and_those_of_val(pair, tmp_path):
    result = fused(tmp_path / "f", *pair, validated=True)
    rows = by_name(result)
    assert list(rows) == ["rgb", "flow", "1/2, 1/2", "1/3, 2/3", "free"]
    assert [row.figures["video_accuracy"] for row in result.rows] == [0.5, 0.5, 1, 1, 1]
    assert [row.how for row in result.streams] == ["alone", "alone"]
    assert rows["1/3, 2/3"].weights == (1 / 3, 2 / 3)
    assert rows["1/2, 1/2"].figures["loss"] == pytest.approx(
        -(np.log(0.525) + np.log(0.6)) / 2  # (.6 + .45) / 2 and (.4 + .8) / 2
    )
    # Of the weights that are right of all six, that of the lowest log-loss.
    losses = {
        w: -(np.log(w * 0.6 + (1 - w) * 0.45) + np.log(w * 0.4 + (1 - w) * 0.8)) / 2
        for w in np.arange(21) / 20
        if w * 0.6 + (1 - w) * 0.45 > 0.5
    }
    assert rows["free"].weights[0] == pytest.approx(min(losses, key=losses.get))
    assert rows["free"].validation == rows["free"].figures
    assert (result.items, result.clusters, result.grouped) == (6, 3, True)
    assert result.written == "free"


def test_a_difference_is_against_every_stream_and_by_groups(pair, tmp_path):
    rows = by_name(fused(tmp_path / "f", *pair))
    (between,) = rows["flow"].differences
    assert (between.minus, between.difference) == ("rgb", 0)
    (first, second) = rows["1/2, 1/2"].differences
    assert (first.minus, second.minus) == ("rgb", "flow")
    assert first.difference == second.difference == 0.5
    # Groups gain 0, 1 and 2 items of 2 over rgb: all three draws of one group give the ends.
    assert (first.low, first.high) == (0, 1)


def test_free_weights_are_chosen_on_val_and_never_on_what_is_reported(write_run, tmp_path):
    a = write_run("a", values=A, modality="rgb")
    b = write_run("b", values=B, modality="flow")
    # On val the second stream is always wrong, so all of the weight is the first one's.
    write_run("a", values=[[0.9, 0.1]] * 6, splits=("val",))
    write_run("b", values=[[0.1, 0.9]] * 6, splits=("val",), modality="flow")
    rows = by_name(fused(tmp_path / "f", [a], [b], validated=True))
    assert rows["free"].weights == (1, 0)
    assert rows["free"].figures == rows["rgb"].figures
    assert rows["free"].validation["video_accuracy"] == 1


def test_weights_of_ones_own_are_measured_alone(pair, tmp_path):
    result = fused(tmp_path / "f", *pair, weights=(0.25, 0.75))
    assert [row.name for row in result.fusions] == ["given"]
    values = 0.25 * np.array(A) + 0.75 * np.array(B)
    rows = list(csv.reader(io.StringIO((tmp_path / "f" / "probabilities.csv").read_text())))
    np.testing.assert_array_equal(np.array([row[3:] for row in rows[1:]], float), values)
    assert [row[:3] for row in rows[:2]] == [["id", "group", "truth"], ["v0", "g1", "0"]]


def test_the_smaller_weight_is_that_of_rgb_whichever_is_named_first(pair, tmp_path, write_run):
    rows = by_name(fused(tmp_path / "f", *reversed(pair)))
    assert list(rows) == ["flow", "rgb", "1/2, 1/2", "2/3, 1/3"]
    assert (rows["2/3, 1/3"].weights, rows["2/3, 1/3"].how) == ((2 / 3, 1 / 3), "paper")
    other = write_run("c", values=B)
    rows = by_name(fused(tmp_path / "g", pair[0], [other]))
    assert (rows["1/3, 2/3"].weights, rows["1/3, 2/3"].how) == ((1 / 3, 2 / 3), "fixed")


def test_val_is_never_chosen_on_where_it_is_reported(pair, tmp_path):
    found = streams.find([[str(run.path) for run in own] for own in pair])
    result = fuse.fuse(found, split="val", folder=tmp_path / "f", validated=True)
    assert [row.name for row in result.fusions] == ["1/2, 1/2", "1/3, 2/3"]
    assert result.written == "1/2, 1/2"
    assert result.rows[0].validation is None


def test_the_files_of_an_evaluation_are_written(pair, tmp_path):
    folder = tmp_path / "f"
    result = fused(folder, *pair)
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion.csv",
        "confusion.png",
        "fusion.json",
        "fusion.png",
        "metrics.json",
        "per_class.csv",
        "predictions.jsonl",
        "probabilities.csv",
    ]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics == {**by_name(result)["1/2, 1/2"].figures, "videos": 6}
    line = json.loads((folder / "predictions.jsonl").read_text().splitlines()[3])
    assert line == {
        "id": "v3",
        "path": "/videos/v3.avi",
        "label": "left",
        "probability": 0.6,
        "top": [{"label": "left", "probability": 0.6}, {"label": "right", "probability": 0.4}],
        "windows": [],
        "truth": ["left"],
    }
    with Image.open(folder / "fusion.png") as picture:
        picture.verify()
    report = json.loads((folder / "fusion.json").read_text())
    assert report["streams"][1] == {
        "name": "flow",
        "runs": [{"run": str(pair[1][0].path), "seed": 0}],
    }
    assert (report["split"], report["written"], report["clusters"]) == ("test", "1/2, 1/2", 3)
    assert [row["name"] for row in report["rows"]] == [row.name for row in result.rows]


def test_seeds_are_averaged_and_paired(write_run, tmp_path):
    # Of the mean of both seeds the first item is right, of each seed alone it is so once.
    first = [
        write_run(f"a{s}", f"seed={s}", values=v)
        for s, v in enumerate(([[0.9, 0.1]], [[0.3, 0.7]]))
    ]
    other = [
        write_run(f"b{s}", f"seed={s}", values=v, modality="flow")
        for s, v in enumerate(([[0.6, 0.4]], [[0.4, 0.6]]))
    ]
    rows = by_name(fused(tmp_path / "f", first, other))
    assert rows["rgb"].figures["video_accuracy"] == 1
    assert rows["rgb"].by_seed == (1, 0)
    assert rows["1/2, 1/2"].by_seed == (1, 0)
    assert rows["1/2, 1/2"].figures["loss"] == pytest.approx(-np.log(0.55))
    uneven = by_name(fused(tmp_path / "g", first, other[:1]))
    assert uneven["rgb"].by_seed == ()


def test_three_streams_are_fused_equally_and_freely(write_run, tmp_path):
    values = {"a": [[0.9, 0.1]], "b": [[0.2, 0.8]], "c": [[0.3, 0.7]]}
    own = [[write_run(name, values=v, splits=("test", "val"))] for name, v in values.items()]
    result = fused(tmp_path / "f", *own, validated=True)
    rows = by_name(result)
    assert list(rows) == ["a", "b", "c", "equal", "free"]
    assert rows["equal"].weights == (1 / 3,) * 3
    assert rows["free"].weights == (1, 0, 0)
    assert [own.minus for own in rows["free"].differences] == ["a", "b", "c", "equal"]
    assert not (tmp_path / "f" / "fusion.png").exists()
    assert not result.grouped


def test_items_without_groups_are_clusters_of_their_own(write_run, tmp_path):
    a, b = write_run("a", values=A), write_run("b", values=B)
    result = fused(tmp_path / "f", [a], [b])
    assert (result.clusters, result.grouped) == (6, False)


def test_another_partner_has_another_folder(pair, write_run):
    (a,), (b,) = pair
    other = write_run("elsewhere/b", values=B, modality="flow")

    def folder(*members, weights=None):
        found = streams.find([[str(run.path)] for run in members])
        return fuse.default_folder(found, "test", weights)

    one, two = folder(a, b), folder(a, other)
    assert one.parent == two.parent == a.evaluation("test") / "fused"
    assert one.name[:2] == two.name[:2] == "b-"
    assert one != two
    assert folder(a, b) == one
    assert folder(a, b, weights=(0.25, 0.75)).name == f"{one.name}-weights=0.25,0.75"
    assert folder(b, a).parent == b.evaluation("test") / "fused"


def test_a_fusion_is_replaced_and_other_files_are_not(pair, tmp_path, caplog):
    caplog.set_level("INFO")
    fused(tmp_path / "f", *pair)
    fused(tmp_path / "f", *pair, weights=(1, 0))
    assert f"{tmp_path}/f: these results replace those of a fusion before" in caplog.text
    before = (pair[0][0].evaluation("test") / "metrics.json").read_text()
    with pytest.raises(UserError, match="output_folder: the folder holds files of something else"):
        fused(pair[0][0].evaluation("test"), *pair)
    assert (pair[0][0].evaluation("test") / "metrics.json").read_text() == before


def test_paths_may_hold_what_ends_a_line_elsewhere(pair):
    run, path = pair[0][0], "a\u2028b\x85.mp4"
    line = json.dumps({"id": "one", "path": path}, ensure_ascii=False)
    files.write_text(run.evaluation("test") / "predictions.jsonl", f"{line}\n")
    assert fuse._paths(run, "test") == {"one": path}


def test_predictions_of_a_run_are_a_file(pair, tmp_path):
    run = pair[0][0]
    file = run.evaluation("test") / "predictions.jsonl"
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    with pytest.raises(UserError, match="no predictions as .*a named pipe"):
        fuse._paths(run, "test")
