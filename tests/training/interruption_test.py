"""Trainings that are stopped between any two steps, and go on as if they had not been."""

import errno
import json
import os
import shutil
import signal
import threading
import zipfile

import numpy as np
import pytest

from lrcn import errors, runs
from lrcn.training import checkpoints, interruption, session

STEPS = 3  # 5 items, 2 in a batch
VOLATILE = {"seconds", "clips_per_second", "frames_per_second", "data_wait"}


@pytest.fixture
def straight(tmp_path):
    return runs.RunDirectory(tmp_path / "straight")


@pytest.fixture
def stopped(tmp_path):
    return runs.RunDirectory(tmp_path / "stopped")


def content(file):
    """Everything in a checkpoint that decides how a run goes on."""
    model, state = checkpoints.load(file)
    variables = [*model.weights, *model.optimizer.variables, *checkpoints._seed_variables(model)]
    history = [{k: v for k, v in row.items() if k not in VOLATILE} for row in state.history]
    values = [(variable.path, variable.numpy()) for variable in variables]
    return values, {"history": history, "best": state.best, "best_epoch": state.best_epoch}


def assert_same(run, other):
    for name in ("last", "best"):
        values, state = content(getattr(run, name))
        others, other_state = content(getattr(other, name))
        assert len(values) == len(others)
        for (path, value), (_, expected) in zip(values, others, strict=True):
            np.testing.assert_array_equal(value, expected, err_msg=f"{name}: {path}")
        assert state == other_state
    assert run.read_metrics() == other.read_metrics()


@pytest.fixture
def stop_at(monkeypatch):
    """Sends this process a signal in the n-th call of a method of `Interruption`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background

    def stop(method, number, signum=signal.SIGTERM):
        calls, original = [], getattr(interruption.Interruption, method)

        def called(self, *args, **kwargs):
            calls.append(None)
            if len(calls) == number:
                os.kill(os.getpid(), signum)
            return original(self, *args, **kwargs)

        monkeypatch.setattr(interruption.Interruption, method, called)
        return calls

    yield stop
    signal.signal(signal.SIGINT, before)


def train_through(settings, run, monkeypatch, code):
    """Trains until a signal ends it, and then to the end; returns where it was stopped."""
    with pytest.raises((SystemExit, KeyboardInterrupt)) as ended:
        session.train(settings, run)
    assert getattr(ended.value, "code", 130) == code
    state = checkpoints.load(run.last)[1]
    monkeypatch.undo()
    session.train(settings, run)
    return state.epoch, state.step


CASES = {"frames": {"augment__mirror": True}, "features": {"backbone__trainable": False}}
STOPS = [("frames", 1), ("frames", 3), ("frames", 5), ("features", 2), ("features", 6)]


@pytest.mark.parametrize(("case", "step"), STOPS)
def test_a_stop_after_any_step_changes_not_a_bit(
    make_settings, straight, stopped, stop_at, monkeypatch, caplog, case, step
):
    caplog.set_level("INFO")
    settings = make_settings(**CASES[case])
    session.train(settings, straight)
    stop_at("on_train_batch_end", step)
    place = train_through(settings, stopped, monkeypatch, 143)
    # After the last step of an epoch its validation is left.
    epoch, done = divmod(step - 1, STEPS)
    assert place == (epoch, done + 1)
    assert "interrupted: saving after step" in caplog.text
    assert "and step" in caplog.text
    assert_same(stopped, straight)


@pytest.mark.parametrize("workflow", ["step", "encdec"])
def test_captions_go_on_within_an_epoch(
    caption_settings, straight, stopped, stop_at, monkeypatch, workflow
):
    settings = caption_settings(workflow, backbone__trainable=True)
    session.train(settings, straight)
    stop_at("on_train_batch_end", 2, signal.SIGINT)
    assert train_through(settings, stopped, monkeypatch, 130) == (0, 2)
    assert_same(stopped, straight)


@pytest.mark.parametrize("call", [1, 2])
def test_a_stop_in_the_validation_trains_nothing_twice(
    make_settings, straight, stopped, stop_at, monkeypatch, call
):
    settings = make_settings()
    session.train(settings, straight)
    # `check` is called after all steps but the last of an epoch, at its end, and for each batch.
    stop_at("check", STEPS - 1 + call)
    assert train_through(settings, stopped, monkeypatch, 143) == (0, STEPS)
    assert_same(stopped, straight)


def test_a_stop_in_the_last_validation_leaves_only_that(
    make_settings, straight, stopped, stop_at, monkeypatch
):
    settings = make_settings(epochs=1)
    session.train(settings, straight)
    stop_at("on_epoch_end", 1)
    assert train_through(settings, stopped, monkeypatch, 143) == (0, STEPS)
    assert_same(stopped, straight)


class Killed(BaseException):
    """Ends a training as a kill does: nothing is saved any more."""


def test_checkpoints_within_an_epoch_go_by_time(make_settings, straight, stopped, monkeypatch):
    settings = make_settings(callbacks__save_seconds=1e-9)
    session.train(settings, straight)
    original = interruption.Interruption.on_train_batch_end

    def killed(self, batch, logs=None):
        original(self, batch, logs)
        if self._state.epoch == 1 and self._done == 2:
            raise Killed

    monkeypatch.setattr(interruption.Interruption, "on_train_batch_end", killed)
    with pytest.raises(Killed):
        session.train(settings, stopped)
    state = checkpoints.load(stopped.last)[1]
    assert (state.epoch, state.step) == (1, 2)
    before = checkpoints.load(stopped.previous)[1]
    assert (before.epoch, before.step) == (1, 1)
    monkeypatch.undo()
    session.train(settings, stopped)
    assert_same(stopped, straight)


def test_no_time_means_only_the_ends_of_epochs(make_settings, stopped, monkeypatch):
    saved = []
    original = checkpoints.save_last
    monkeypatch.setattr(
        checkpoints, "save_last", lambda *a, **k: (saved.append(a[2].step), original(*a, **k))
    )
    session.train(make_settings(callbacks__save_seconds=None), stopped)
    assert saved == [0, 0]


def test_a_second_signal_ends_at_once(monkeypatch):
    signals = interruption.Signals()
    with signals.noted():
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.received == signal.SIGTERM
        os.kill(os.getpid(), signal.SIGTERM)  # the same, by way of a parent
        monkeypatch.setattr(interruption, "_AT_ONCE", 0.0)
        with pytest.raises(SystemExit) as ended:
            os.kill(os.getpid(), signal.SIGTERM)
        assert ended.value.code == 143


def test_a_signal_to_one_of_several_hosts_waits_until_all_agree(make_settings, stopped):
    signals = interruption.Signals(together=True)
    own = interruption.Interruption(
        *(None, stopped, checkpoints.State()),
        steps=STEPS,
        signals=signals,
        seconds=None,
        before=lambda: None,
        writes=False,
    )
    with signals.noted():
        os.kill(os.getpid(), signal.SIGTERM)
        own.on_epoch_end(0, {})
        assert list(own.watched([1, 2])) == [1, 2]  # a validation ends first
        signals.agreed = signals.received
        with pytest.raises(SystemExit) as ended:
            own.on_epoch_end(0, {})
        assert ended.value.code == 143


def test_a_host_leaves_after_a_signal_to_another_one():
    signals = interruption.Signals(together=True)
    signals.agreed = signal.SIGINT
    with pytest.raises(KeyboardInterrupt):
        signals.leave()


def test_handlers_are_as_before(make_settings, stopped):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    session.train(make_settings(epochs=1), stopped)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        signals = interruption.Signals()
        with signals.noted():
            os.kill(os.getpid(), signal.SIGINT)
            assert signals.received is None
            assert signal.getsignal(signal.SIGTERM) == signals._note
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_leaves_signals_alone():
    seen = []

    def work():
        with interruption.Signals().noted():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def damage(file, how):
    data = bytearray(file.read_bytes())
    if how == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "flipped":
        with zipfile.ZipFile(file) as archive:
            info = archive.getinfo("model.weights.h5")
        place = info.header_offset + 200 + info.compress_size // 2
        data[place] ^= 0xFF
        file.write_bytes(data)
    else:
        file.unlink()


def test_a_broken_checkpoint_falls_back_to_the_one_before(
    make_settings, straight, stopped, caplog, tmp_path
):
    settings = make_settings(epochs=3)
    session.train(settings, straight)
    session.train(make_settings(), stopped)
    sound = tmp_path / "sound.keras"
    shutil.copy(stopped.last, sound)
    for how in ("cut", "empty", "flipped", "gone"):
        shutil.copy(sound, stopped.last)
        damage(stopped.last, how)
        caplog.clear()
        assert checkpoints.load_newest(stopped)[1].epoch == 1
        assert "previous.keras" in caplog.text and "last.keras" in caplog.text
    damage(stopped.last, "cut")
    session.train(settings, stopped)
    assert_same(stopped, straight)


STATES = {
    "deep": "[" * 100_000,
    "list": "[1]",
    "unknown key": '{"colour": 1}',
    "no seeds": '{"epoch": 1}',
    "text for a number": '{"epoch": "x", "seeds": []}',
    "rows that are none": '{"history": [1], "seeds": []}',
}


def test_a_state_that_is_none_is_a_broken_checkpoint(make_settings, stopped, tmp_path):
    session.train(make_settings(), stopped)
    sound = tmp_path / "sound.keras"
    shutil.copy(stopped.last, sound)
    for text in STATES.values():
        shutil.copy(sound, stopped.last)
        rewrite_state(stopped.last, lambda _, text=text: text)
        with pytest.raises(checkpoints.Broken, match="no checkpoint that can be read"):
            checkpoints.load(stopped.last)
        assert checkpoints.load_newest(stopped)[1].epoch == 1
        assert stopped.last.with_name("broken.keras").exists()


def test_what_the_system_refuses_for_now_is_no_damage(make_settings, stopped, monkeypatch):
    session.train(make_settings(), stopped)
    before = stopped.last.read_bytes()

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.keras.models, "load_model", full)
        with pytest.raises(errors.CannotWrite, match="No space left"):
            checkpoints.load_newest(stopped)
    assert stopped.last.read_bytes() == before
    assert checkpoints.load_newest(stopped)[1].epoch == 2


def test_a_pipe_in_the_place_of_a_checkpoint_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "last.keras")
    with pytest.raises(OSError, match="named pipe"):
        checkpoints.load(tmp_path / "last.keras")


def test_a_run_that_resumes_itself_before_its_first_checkpoint_begins(make_settings, stopped):
    session.train(make_settings(resume=str(stopped.path), epochs=1), stopped)
    assert checkpoints.load(stopped.last)[1].epoch == 1


def test_two_broken_checkpoints_are_an_error(make_settings, stopped):
    session.train(make_settings(), stopped)
    damage(stopped.last, "cut")
    damage(stopped.previous, "cut")
    with pytest.raises(errors.UserError, match=r"previous\.keras: no checkpoint that can be read"):
        session.train(make_settings(epochs=3), stopped)


def test_a_broken_best_is_mended_by_a_checkpoint_of_its_epoch(
    make_settings, straight, stopped, caplog
):
    settings = make_settings(epochs=1)
    session.train(settings, straight)
    session.train(settings, stopped)
    damage(stopped.best, "cut")
    session.train(settings, stopped)
    assert "replaced by" in caplog.text
    assert_same(stopped, straight)


def test_a_lost_best_is_told(make_settings, stopped):
    run = stopped
    session.train(make_settings(epochs=3), run)
    record = checkpoints._read(run.last)
    assert record["epoch"] == 3
    # As if the first epoch had been the best.
    for file in (run.last, run.previous):
        rewrite_state(file, lambda own: json.dumps({**json.loads(own), "best_epoch": 1}))
    damage(run.best, "cut")
    with pytest.raises(errors.UserError, match=r"best\.keras: no checkpoint"):
        session.train(make_settings(epochs=4), run)


def rewrite_state(file, change):
    copy = file.with_suffix(".zip")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "state.json":
                data = change(data)
            new.writestr(name, data)
    shutil.move(copy, file)


def test_the_state_keeps_sums_to_the_last_bit(tmp_path):
    values = [float(np.float32(0.1)) * 3, 1e-45, 16777217.0]
    assert json.loads(json.dumps(values)) == values
