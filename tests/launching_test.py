import subprocess
import sys

import pytest

from lrcn import launching
from lrcn.errors import UsageError, UserError


def hydra(launcher, sweeper="basic", *, launching=None, sweeping=None):
    """Hydra's own settings, as far as they tell who starts the jobs."""
    return {
        "runtime": {"choices": {"hydra/launcher": launcher, "hydra/sweeper": sweeper}},
        "launcher": launching or {},
        "sweeper": sweeping or {},
    }


def joblib(n_jobs, sweeper="basic"):
    return hydra("joblib", sweeper, launching={"n_jobs": n_jobs}, sweeping={"n_jobs": 2})


def local(cpus_per_task=None, **sweeping):
    given = {"cpus_per_task": cpus_per_task}
    return hydra("submitit_local", launching=given, sweeping={"max_batch_size": None, **sweeping})


def ray(*, init=None, remote=None):
    given = {"init": {"address": None, **(init or {})}, "remote": remote or {}}
    return hydra("ray", launching={"ray": given})


N_JOBS = "hydra.launcher.n_jobs"


@pytest.mark.parametrize(
    ("settings", "given", "cores", "threads", "override"),
    [
        (joblib(-1), [], 8, 4, f"{N_JOBS}=2"),  # the default: two at a time
        (joblib(-1), [], 1, 1, f"{N_JOBS}=1"),
        (joblib(-1), [N_JOBS], 8, 1, f"{N_JOBS}=8"),  # asked for: every core a job
        (joblib(-2), [N_JOBS], 8, 1, f"{N_JOBS}=7"),
        (joblib(3), [N_JOBS], 8, 2, f"{N_JOBS}=3"),
        (joblib(3), [], 8, 2, f"{N_JOBS}=3"),  # of a configuration of one's own
        (joblib(4, "optuna"), [N_JOBS], 8, 2, "hydra.sweeper.n_jobs=4"),
        (local(), [], 8, 4, "hydra.sweeper.max_batch_size=2"),
        (local(), [], 1, 1, "hydra.sweeper.max_batch_size=1"),
        (local(3), [], 8, 3, "hydra.sweeper.max_batch_size=2"),
        (local(5), [], 8, 5, "hydra.sweeper.max_batch_size=1"),
        (local(max_batch_size=4), ["hydra.sweeper.max_batch_size"], 8, 2, "4"),
        (ray(), [], 8, 4, "+hydra.launcher.ray.remote.num_cpus=4"),
        (ray(), [], 1, 1, "+hydra.launcher.ray.remote.num_cpus=1"),
        (ray(init={"num_cpus": 4}), [], 8, 2, "+hydra.launcher.ray.remote.num_cpus=2"),
    ],
)
def test_jobs_at_once_divide_the_cores(settings, given, cores, threads, override):
    plan = launching.plan(settings, given, cores)
    assert plan.threads == threads
    assert any(text.endswith(override) for text in plan.overrides), plan.overrides
    assert plan.is_elsewhere and not plan.outlives


def test_who_works_elsewhere_has_the_cores_that_are_asked_for():
    basic = launching.plan(hydra("basic"), [], 8)
    assert basic == launching.Plan()
    search = launching.plan(hydra("basic", "optuna", sweeping={"n_jobs": 2}), [], 8)
    assert search.overrides == ("hydra.sweeper.n_jobs=1",)  # each trial knows the one before
    slurm = launching.plan(hydra("submitit_slurm", launching={"cpus_per_task": 16}), [], 8)
    assert (slurm.threads, slurm.is_elsewhere, slurm.outlives) == (16, True, True)
    cluster = launching.plan(ray(init={"address": "auto"}, remote={"num_cpus": 16}), [], 8)
    assert (cluster.threads, cluster.outlives) == (16, True)
    assert "num_cpus" not in cluster.ray
    started = launching.plan(ray(remote={"num_cpus": 3}), [], 8)
    assert (started.threads, started.ray["num_cpus"], started.ray["address"]) == (3, 8, None)


@pytest.mark.parametrize(
    ("settings", "key", "expected"),
    [
        (joblib(64), N_JOBS, "1 to 2, for the 2 cores"),
        (joblib(0), N_JOBS, "1 to 2"),
        (local(max_batch_size=3), "hydra.sweeper.max_batch_size", "1 to 2"),
        (local(2, max_batch_size=2), "hydra.sweeper.max_batch_size", "1 to 1, for the 2 cores"),
        (local(4), "hydra.launcher.cpus_per_task", "from 1 to 2"),
        (ray(init={"num_cpus": 64}), "hydra.launcher.ray.init.num_cpus", "1 to 2"),
        (ray(remote={"num_cpus": 64}), "hydra.launcher.ray.remote.num_cpus", "from 1 to 2"),
    ],
)
def test_more_jobs_at_once_than_cores_are_refused(settings, key, expected):
    with pytest.raises(UserError) as raised:
        launching.plan(settings, [key], 2)
    assert raised.value.where == key
    assert expected in raised.value.expected
    assert f"Lower {key}" in raised.value.remedy and "submitit_slurm" in raised.value.remedy


def test_names_that_people_guess():
    assert launching.named(["hydra/launcher=submitit", "epochs=1"]) == [
        "hydra/launcher=submitit_slurm",
        "epochs=1",
    ]
    assert launching.named(["hydra.launcher.ray.init.num_cpus=2"]) == [
        "++hydra.launcher.ray.init.num_cpus=2"
    ]


def test_a_launcher_that_does_not_exist_names_those_that_do():
    error = launching.unknown("hydra/launcher", "jobib")
    assert isinstance(error, UsageError) and "did you mean 'joblib'" in error.what
    assert "basic | joblib (lrcn[joblib]) | submitit_local (lrcn[submitit])" in error.expected
    error = launching.unknown("hydra/sweeper/sampler", "tp")
    assert isinstance(error, UsageError) and "did you mean 'tpe'" in error.what


@pytest.mark.parametrize(
    ("override", "extra"),
    [("hydra/launcher=joblib", "joblib"), ("hydra/sweeper=optuna", "optuna")],
)
def test_an_extra_that_is_not_installed_is_told_with_the_command_that_installs_it(
    override, extra, tmp_path
):
    program = (
        "import sys; sys.modules['hydra_plugins'] = None\n"
        "from lrcn import cli; sys.exit(cli.main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, "train", "-m", "seed=0,1", override]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert f"{override} is an extra that is not installed" in done.stderr
    assert f"pip install 'lrcn[{extra}]'" in done.stderr
    assert not list(tmp_path.iterdir())
