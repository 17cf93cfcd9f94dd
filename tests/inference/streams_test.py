"""Streams: which runs a name stands for, and which are refused."""

import pathlib

import numpy as np
import pytest

from lrcn import files
from lrcn.errors import UserError
from lrcn.inference import streams

ONE = [[0.9, 0.1]]


@pytest.fixture
def sweep(write_run):
    """A sweep of two workflows and two seeds, beside what a sweep writes of itself."""
    for seed in (1, 0):
        for workflow in ("lstm", "singleframe"):
            given = (f"workflow={workflow}", f"seed={seed}")
            run = write_run(f"s/seed={seed},workflow={workflow}", *given, values=ONE)
    (run.path.parent / "notes-workflow=lstm").mkdir()
    (run.path.parent / "summary.csv").write_text("")
    return run.path.parent


def test_a_pattern_stands_for_the_runs_it_matches_in_the_order_of_seeds(sweep, monkeypatch):
    monkeypatch.chdir(sweep.parent)
    lstm, single = streams.find([["s/*workflow=lstm"], [f"{sweep}/*singleframe"]])
    assert (lstm.name, single.name) == ("lstm", "singleframe")
    assert lstm.seeds == single.seeds == (0, 1)
    assert [run.path.name for run in lstm.runs] == ["seed=0,workflow=lstm", "seed=1,workflow=lstm"]


def test_a_list_and_a_home_folder_name_runs_too(sweep, monkeypatch):
    monkeypatch.setenv("HOME", str(sweep))
    names = ["seed=1,workflow=lstm", "seed=0,workflow=lstm"]
    lstm, _ = streams.find([[f"~/{name}" for name in names], [f"{sweep}/seed=0*single*"]])
    assert lstm.seeds == (0, 1)


def test_a_run_may_have_signs_of_a_pattern_in_its_name(write_run):
    a = write_run("a[1]*", values=ONE)
    b = write_run("b", values=ONE)
    found = streams.find([[str(a.path)], [str(b.path)]])
    assert [stream.runs[0].path for stream in found] == [a.path, b.path]


def test_streams_are_named_by_what_tells_them_apart(write_run):
    a = write_run("a", values=ONE, modality="rgb")
    b = write_run("b", values=ONE, modality="flow")
    c = write_run("c", values=ONE, modality="flow")
    again = write_run("other/c", values=ONE, modality="flow")

    def names(*found):
        return [stream.name for stream in streams.find([[str(run.path)] for run in found])]

    assert names(a, b) == ["rgb", "flow"]
    assert names(b, c) == ["b", "c"]
    assert names(c, again) == ["stream 1", "stream 2"]


def test_a_run_stored_before_modalities_is_of_rgb(write_run):
    a, b = (write_run(name, values=ONE, modality="flow") for name in "ab")
    plain = a.read_config()
    del plain["shown"], plain["modality"]
    a.write_config(plain)
    found = streams.find([[str(a.path)], [str(b.path)]])
    assert [stream.name for stream in found] == ["rgb", "flow"]


def refused(*entries):
    with pytest.raises(UserError) as caught:
        streams.find(entries)
    return str(caught.value)


def test_one_stream_alone_is_no_fusion(sweep):
    told = refused([f"{sweep}/*lstm"])
    assert told.startswith("runs: there is one stream alone. ")
    assert told.endswith("runs of one entry are seeds of one stream, which are averaged.")
    assert "one stream alone" in refused()
    assert "a stream has no run" in refused([], ["a"])


def test_a_name_without_a_run_is_told(sweep, write_run):
    b = str(write_run("b", values=ONE).path)
    assert "runs: no such run. Received: nowhere." in refused(["nowhere"], [b])
    assert f"Received: {sweep}/*gru*." in refused([b], [f"{sweep}/*gru*"])
    told = refused([str(sweep)], [b])
    assert f"Give the runs in it: '{sweep}/PATTERN', such as seed=0,workflow=lstm, " in told


def test_a_run_that_did_not_finish_is_told(write_run):
    a = write_run("a", values=ONE)
    b = write_run("b", values=ONE, done=False)
    entries = [str(a.path)], [str(b.path)]
    assert f"{b.path}: the run is not finished. Received: no mark DONE." in refused(*entries)
    b.mark_failed(UserError("loss is NaN", where="x", received=1, expected=2, remedy="Lower it"))
    assert f"{b.path}: the run failed. Received: x: loss is NaN." in refused(*entries)
    b.config_file.unlink()  # as if it had failed before it began
    assert "the run failed" in refused(entries[0], [str(b.path.parent / "[b]")])


def test_a_run_is_given_once(sweep):
    told = refused([f"{sweep}/seed=0*"], [f"{sweep}/*lstm"])
    assert f"a run is given twice. Received: {sweep}/seed=0,workflow=lstm, by {sweep}" in told
    (sweep.parent / "link").symlink_to(sweep)
    lstm = "seed=0,workflow=lstm"
    assert "given twice" in refused([f"{sweep}/{lstm}"], [f"{sweep.parent}/link/{lstm}"])


def test_runs_of_one_stream_differ_in_their_seed_alone(sweep, write_run):
    told = refused([f"{sweep}/seed=0*"], [f"{sweep}/seed=1*"])
    assert "runs: runs of one stream differ in workflow." in told
    a = write_run("a", values=ONE)
    b = write_run("b", "seed=1", "optimizer.learning_rate=.5", values=ONE)
    c = write_run("c", "seed=2", "dataset.train=7", values=ONE)
    free = write_run("d", "seed=3", "num_threads=7", "name=d", "evaluate=[test]", values=ONE)
    other = [f"{sweep}/seed=0*lstm"]
    told = refused([str(a.path), str(b.path)], other)
    assert "differ in optimizer.learning_rate, not in their seed alone. Received: 0.5 in " in told
    assert "differ in dataset.train, not" in refused([str(a.path), str(c.path)], other)
    assert streams.find([[str(a.path), str(free.path)], other])[0].seeds == (0, 3)
    again = write_run("e", values=ONE)
    assert "two runs of one stream have one seed" in refused([str(a.path), str(again.path)], other)


def test_captions_have_no_mean(write_run):
    a = write_run("a", values=ONE)
    b = write_run("b", "workflow=imgdesc_step", values=ONE)
    told = refused([str(a.path)], [str(b.path)])
    assert "the run writes captions, which have no mean. Received: workflow=imgdesc_step." in told


def stream_of(*members):
    return streams.Stream("s", members, tuple(range(len(members))))


def test_values_are_those_of_the_first_runs_items(write_run):
    a = write_run("a", values=[[0.9, 0.1], [0.2, 0.8]], ids=["x", "y"], truth=[0, 1])
    b = write_run("b", values=[[0.4, 0.6], [0.7, 0.3]], ids=["y", "x"], truth=[1, 0])
    c = write_run("c", values=[[0.5, 0.5], [0.5, 0.5]], ids=["y", "x"], truth=[1, 0])
    d = write_run("d", values=[[0.1, 0.9], [0.3, 0.7]], ids=["x", "y"], truth=[0, 1])
    values = streams.read([stream_of(a, b), stream_of(c)], "test")
    assert values.items.ids == ("x", "y")
    np.testing.assert_allclose(values.streams[0], [[0.8, 0.2], [0.3, 0.7]])
    assert values.by_seed == []  # one stream has two seeds, the other one
    both = streams.read([stream_of(a), stream_of(c)], "test")
    assert both.by_seed == []  # one seed is the stream itself
    pairs = streams.read([stream_of(a, b), stream_of(d, c)], "test").by_seed
    assert [pair.shape for pair in pairs] == [(2, 2, 2)] * 2
    np.testing.assert_array_equal(pairs[1][1], [[0.5, 0.5], [0.5, 0.5]])


def test_runs_of_one_stream_are_evaluated_in_one_way(write_run):
    a, b = (write_run(name, values=ONE) for name in "ab")
    for run, crop in ((a, "centre"), (b, "ten")):
        files.write_json(run.evaluation("test") / "protocol.json", {"view": crop})
    streams.read([stream_of(a), stream_of(b)], "test")
    with pytest.raises(UserError, match='evaluated with another view. Received: "ten" in .*b'):
        streams.read([stream_of(a, b), stream_of(a)], "test")


def test_runs_of_several_labels_are_refused(write_run):
    a, b = (write_run(name, values=ONE) for name in "ab")
    files.write_json(b.evaluation("test") / "metrics.json", {"video_map": 0.5})
    with pytest.raises(UserError, match="b: the run gives its items several labels each"):
        streams.read([stream_of(a), stream_of(b)], "test")


def test_an_evaluation_that_was_cut_off_is_none(write_run):
    a = write_run("a", values=ONE)
    assert streams.is_evaluated(a, "test")
    assert not streams.is_evaluated(a, "val")
    (a.evaluation("test") / "metrics.json").unlink()
    assert not streams.is_evaluated(a, "test")


def test_a_run_that_was_trained_on_is_told(write_run, caplog):
    a, b = (write_run(name, values=ONE) for name in "ab")
    streams.read([stream_of(a), stream_of(b)], "test")
    assert not caplog.records
    pathlib.Path(b.best).parent.mkdir()
    b.best.write_text("")
    streams.read([stream_of(a), stream_of(b)], "test")
    assert f"{b.path} was trained on after it was evaluated on test" in caplog.text
