"""Every moment of a traced step belongs to one row of the table."""

import pathlib

import pytest

from lrcn import errors
from lrcn.training import breakdown

FORWARD = "StatefulPartitionedCall/lstm_1/conv1_1/Relu:_MklNativeFusedConv2D"
BACKWARD = "StatefulPartitionedCall/gradient_tape/lstm_1/fc6_1/MatMul/MatMul:_MklMatMul"
CONVOLUTION, PRODUCT = ("forward", "convolution"), ("backward", "matrix product")
WAITING, BETWEEN = ("waiting for data", ""), ("TensorFlow", "between operations")
PYTHON = ("callbacks and Python", "")


def broken_down(*lines, steps=((0, 100),)):
    found = breakdown.of(lines, steps)
    return {row: round(1e12 * seconds) for row, seconds in found.seconds.items()}


@pytest.mark.parametrize(
    ("name", "row"),
    [
        (FORWARD, CONVOLUTION),
        (BACKWARD, PRODUCT),
        ("a/lstm_1/pool1_1/MaxPool2d:_MklNativeMaxPool", ("forward", "pooling")),
        ("a/gradient_tape/b/bn/FusedBatchNormGradV3:X", ("backward", "element by element")),
        ("a/b/bn/FusedBatchNormV3:FusedBatchNormV3", ("forward", "normalization")),
        ("a/dropout/uniform:StatelessRandomUniformV2", ("forward", "random numbers")),
        ("a/conv3_1/Cast:Cast", ("forward", "change of type")),
        ("a/concat:ConcatV2", ("forward", "copying")),
        ("a/lstm1/while:TensorListSetItem", ("forward", "loop of time steps")),
        ("a/norm1_1/Exp:Exp", ("forward", "element by element")),
        ("a/sgd/Sub_10:Sub", ("optimizer", "")),
        ("a/adam_1/mul:Mul", ("optimizer", "")),
        ("StatefulPartitionedCall:StatefulPartitionedCall", None),
        ("a/while:While", None),
        ("ExecutorState::Process", None),
        ("EagerLocalExecute: Mul", None),
        ("lrcn step", None),
    ],
)
def test_operations_are_told_by_part_and_kind(name, row):
    assert breakdown.row_of(name) == row


def test_each_moment_counts_once():
    python = ("python", [(0, 100, "lrcn step"), (10, 90, "EagerKernelExecute")])
    compute = ("tf_Compute/1", [(15, 85, "ExecutorState::Process"), (30, 50, FORWARD)])
    other = ("tf_Compute/2", [(40, 60, BACKWARD)])
    data = (
        "tf_data_iterator_get_next/1",
        [(20, 35, "IteratorGetNextOp::DoCompute"), (35, 39, "map/DecodeJpeg:DecodeJpeg")],
    )
    found = broken_down(python, compute, other, data)
    assert found == {
        CONVOLUTION: 15,  # from 30 to 40 alone, half of 40 to 50
        PRODUCT: 15,
        WAITING: 10,  # until the convolution begins
        BETWEEN: 40,
        PYTHON: 20,
    }


def test_what_runs_inside_an_operation_is_taken_off_it():
    inner = "a/while/body/MatMul:MatMul"
    compute = ("tf_Compute/1", [(0, 60, FORWARD), (10, 20, inner), (20, 30, inner)])
    assert broken_down(compute) == {
        CONVOLUTION: 40,
        ("forward", "matrix product"): 20,
        PYTHON: 40,
    }


def test_the_mean_is_over_steps_and_nothing_beside_them_counts():
    compute = ("tf_Compute/1", [(0, 10, FORWARD), (40, 60, FORWARD), (100, 120, BACKWARD)])
    found = breakdown.of([compute], [(0, 50), (100, 140)])
    assert found.steps == 2 and found.step == pytest.approx(45e-12)
    assert found.seconds[CONVOLUTION] == pytest.approx(10e-12)
    assert found.seconds[PRODUCT] == pytest.approx(10e-12)


def test_no_trace_is_told(tmp_path: pathlib.Path):
    with pytest.raises(errors.UserError, match="no training step was traced.*no trace"):
        breakdown.read(tmp_path)
