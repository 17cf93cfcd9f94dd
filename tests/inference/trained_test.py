import pytest

from lrcn import errors, runs, settings
from lrcn.inference import trained


@pytest.mark.parametrize("checkpoint", trained.CHECKPOINTS)
def test_a_run_without_any_checkpoint_says_so(tmp_path, checkpoint):
    runs.RunDirectory(tmp_path).write_config({})
    with pytest.raises(errors.UserError, match="no such run directory"):
        trained.load(tmp_path / "none", checkpoint=checkpoint)
    with pytest.raises(errors.UserError, match="the run has no checkpoint"):
        trained.load(tmp_path, checkpoint=checkpoint)


def test_a_lost_last_checkpoint_does_not_send_to_resume_which_needs_it(tmp_path):
    best = tmp_path / "checkpoints" / "best.keras"
    best.parent.mkdir()
    best.touch()
    with pytest.raises(errors.UserError) as caught:
        trained.load(tmp_path, checkpoint="last")
    assert str(caught.value).startswith(f"{best.with_name('last.keras')}: the run has no such")
    assert str(caught.value).endswith("Use checkpoint=best, which is there.")


def test_runs_that_tell_classes_are_given_no_search():
    trained.refuse_search(None)
    trained.refuse_search(settings.SearchAsInRun())
    for search in (settings.Greedy(), settings.Beam("beam", 3, 0.0, None)):
        with pytest.raises(errors.UserError, match=rf"search: .*Received: {search.name}\."):
            trained.refuse_search(search)
