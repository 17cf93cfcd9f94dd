"""Several devices and machines."""

import keras

from .records import training
from .registry import Elsewhere, fault
from .world import World

TITLE = "Several GPUs, several machines"


@fault(
    "`strategy=mirrored` on a machine without GPUs",
    "how many TensorFlow sees; no silent single run",
    says=("strategy.devices", "0 GPUs", "Leave strategy out"),
)
def mirrored_without_gpus(world: World):
    return training(world.shared.records, "strategy=mirrored")


@fault(
    "`strategy=mirrored` with mixed_float16",
    "the precision to take",
    says=("precision", "mixed_float16", "mixed_bfloat16"),
)
def mirrored_float16(world: World):
    return ["train", "strategy=mirrored", "precision=mixed_float16"]


@fault(
    "captions of decoded videos on several devices",
    "what can be shared",
    says=("strategy", "videodesc_pooling", "backbone.trainable=false"),
)
def mirrored_captions(world: World):
    return ["train", "strategy=mirrored", "workflow=videodesc_pooling"]


HOSTS = ("strategy=hosts", "strategy.count=2", "strategy.coordinator=localhost:12345")


@fault(
    "`strategy=hosts` on TensorFlow",
    "the backend and the extra it needs",
    says=("strategy", "KERAS_BACKEND=tensorflow", "pip install 'lrcn[hosts]'"),
)
def hosts_on_tensorflow(world: World):
    return training(world.shared.records, *HOSTS, "strategy.index=0")


@fault(
    "`strategy=hosts` that does not tell which host it is",
    "the key, and what Slurm tells",
    says=("strategy.index", "null", "srun"),
)
def hosts_without_index(world: World):
    return training(world.shared.records, *HOSTS)


@fault("host that does not exist", "the hosts there are", says=("strategy.index", "2", "from 0"))
def hosts_index(world: World):
    return training(world.shared.records, *HOSTS, "strategy.index=2")


@fault(
    "`strategy.coordinator` without a port",
    "how it is given",
    says=("strategy.coordinator", "localhost", "HOST:12345"),
)
def hosts_address(world: World):
    keys = ("strategy.index=0", "strategy.coordinator=localhost")
    return training(world.shared.records, *HOSTS, *keys)


@fault(
    "captions on several hosts",
    "what can be trained on them",
    says=("strategy", "imgdesc_step", "strategy=mirrored"),
)
def hosts_captions(world: World):
    return ["train", *HOSTS, "strategy.index=0", "workflow=imgdesc_step"]


@fault(
    "evaluating at the end of a training on several hosts",
    "the command that does",
    says=("evaluate", "test", "lrcn evaluate run=RUN"),
)
def hosts_evaluate(world: World):
    return ["train", *HOSTS, "strategy.index=0", "evaluate=[test]"]


@fault(
    "a sweep on several hosts",
    "a command for each training",
    says=("strategy", "hosts with -m", "Leave -m out"),
    code=2,
)
def hosts_swept(world: World):
    return ["train", "-m", *HOSTS, "strategy.index=0", "seed=0,1"]


@fault(
    "several hosts among the strategies of a sweep",
    "the same",
    says=("strategy", "hosts with -m", "strategy=mirrored"),
    code=2,
)
def hosts_among_swept(world: World):
    return ["train", "-m", "strategy=single,hosts"]


@fault(
    "`profile=true` on JAX",
    "the backend that is traced",
    says=("profile", "true with KERAS_BACKEND=jax", "Leave profile out"),
)
def profile_on_jax(world: World):
    command = training(world.shared.records, "profile=true")
    world.patch.setattr(keras.config, "backend", lambda: "jax")
    return command


ELSEWHERE = (
    Elsewhere(
        "one of several hosts that dies",
        "the others end with a message; the same commands go on (1)",
        "tests/hosts_test.py::test_a_host_that_dies_ends_the_others",
    ),
    Elsewhere(
        "one of several hosts that does not answer",
        "the others end after `strategy.patience` seconds, with a message (1)",
        "tests/hosts_test.py::test_a_host_that_does_not_answer_ends_the_others",
    ),
    Elsewhere(
        "SIGTERM to one of several hosts",
        "all stop after the same step, which is saved (143)",
        "tests/hosts_test.py::test_a_signal_to_one_host_stops_all",
    ),
    Elsewhere(
        "... while host 0 validates",
        "the validation ends first; then all stop (143)",
        "tests/hosts_test.py::test_a_signal_to_the_host_that_validates_stops_all",
    ),
)
