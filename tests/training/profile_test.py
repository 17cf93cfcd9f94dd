"""A training that is profiled leaves a trace and a table, and is else as any other."""

import csv
import dataclasses

import numpy as np
import pytest

from lrcn import runs
from lrcn.training import breakdown, checkpoints, profile, session


@pytest.fixture
def profiled(make_settings):
    """Settings of a training of 3 steps an epoch."""
    return make_settings(batch_size=2, epochs=3, profile=True)


def weights(run):
    model, _ = checkpoints.load(run.last)
    return [weight.numpy() for weight in model.weights]


def test_the_table_sums_to_the_traced_steps(profiled, tmp_path, caplog):
    caplog.set_level("INFO")
    run = runs.RunDirectory(tmp_path / "run")
    session.train(profiled, run)
    (trace,) = run.tensorboard.glob("plugins/profile/*/*.xplane.pb")
    assert trace.stat().st_size > 0
    found = breakdown.read(run.tensorboard)
    assert 1 <= found.steps <= profile.TRACED
    with run.profile_file.open(newline="") as file:
        rows = list(csv.DictReader(file))
    seconds = np.array([float(row["seconds"]) for row in rows])
    assert (seconds > 0).all() and (np.diff(seconds) <= 0).all()
    assert seconds.sum() == pytest.approx(found.step, rel=1e-4)
    assert seconds.sum() == pytest.approx(step_seconds(trace), rel=1e-4)
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1, abs=1e-4)
    kinds = {(row["part"], row["kind"]) for row in rows}
    assert {("forward", "convolution"), ("backward", "convolution"), ("optimizer", "")} <= kinds
    assert {("TensorFlow", "between operations"), ("callbacks and Python", "")} <= kinds
    assert f"profile: {found.steps} steps of" in caplog.text
    assert str(run.profile_file) in caplog.text


def step_seconds(trace):
    """The mean length of the traced steps, read in another way."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(trace.read_bytes())
    lengths = [
        event.duration_ps / 1e12
        for plane in space.planes
        for line in plane.lines
        for event in line.events
        if plane.event_metadata[event.metadata_id].name == breakdown.STEP
    ]
    return np.mean(lengths)


def test_a_profiled_training_that_is_resumed_learns_the_same(profiled, tmp_path):
    plain, halved = runs.RunDirectory(tmp_path / "a"), runs.RunDirectory(tmp_path / "b")
    session.train(dataclasses.replace(profiled, profile=False), plain)
    assert not plain.profile_file.exists()
    session.train(dataclasses.replace(profiled, profile=False, epochs=1), halved)
    session.train(profiled, halved)
    assert halved.profile_file.exists()
    for one, two in zip(weights(plain), weights(halved), strict=True):
        np.testing.assert_array_equal(one, two)


def test_too_few_steps_are_told(profiled, tmp_path, caplog):
    run = runs.RunDirectory(tmp_path / "run")
    session.train(dataclasses.replace(profiled, epochs=1), run)
    assert "profile: nothing was traced" in caplog.text
    assert not run.profile_file.exists()


def test_a_training_that_is_cut_off_ends_its_trace(tmp_path):
    run = runs.RunDirectory(tmp_path / "run")
    with pytest.raises(KeyboardInterrupt), profile.following(run, [], is_wanted=True) as (own,):
        for batch in range(profile.WARM_UP + 1):
            own.on_train_batch_begin(batch)
        raise KeyboardInterrupt
    assert list(run.tensorboard.glob("plugins/profile/*/*.xplane.pb"))
    assert not run.profile_file.exists()
    assert breakdown.read(run.tensorboard).steps == 1
