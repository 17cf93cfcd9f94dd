"""Fuzzes all targets for a minute in total: `python tests/fuzz/run.py [TARGET ...]`.

Prints a line for each: executions, features that the inputs covered, and what was found. The exit
code is 1 if an input raised anything but `UserError`, hung or took too much memory; its path is
printed, and `python tests/fuzz/one.py TARGET PATH` repeats it.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import targets  # noqa: E402 - found beside this file


def main() -> int:
    """Fuzzes the targets one after another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="by default all")
    parser.add_argument("--seconds", type=float, default=60, help="of fuzzing in total")
    parser.add_argument("--found", default="fuzz-found", help="folder of inputs that failed")
    options = parser.parse_args()
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write(
            "atheris is not installed. It has wheels for Linux and Python 3.11 or newer: "
            "pip install '.[fuzz]'\n"
        )
        return 2
    names = options.targets or list(targets.TARGETS)
    if unknown := set(names) - set(targets.TARGETS):
        sys.stderr.write(f"no such target: {', '.join(sorted(unknown))}\n")
        return 2
    found = pathlib.Path(options.found).absolute()
    print(f"{'target':12}{'executions':>12}{'features':>10}  found")
    failed = [name for name in names if not _fuzz(name, options.seconds / len(names), found)]
    return 1 if failed else 0


def _fuzz(name: str, seconds: float, found: pathlib.Path) -> bool:
    """Fuzzes a target, prints its line and returns whether nothing was found."""
    target = targets.TARGETS[name]
    found.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    with tempfile.TemporaryDirectory() as new:
        arguments = [
            *(new, str(HERE / "corpus" / name)),  # what covers more goes into the first
            f"-max_total_time={max(round(seconds), 1)}",
            f"-max_len={target.longest}",
            f"-rss_limit_mb={target.memory}",
            *("-timeout=20", "-print_final_stats=1", f"-artifact_prefix={found}/{name}-"),
        ]
        command = [sys.executable, str(HERE / "one.py"), name, *arguments]
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env={**os.environ, **quiet}
        )
    inputs = sorted(set(found.iterdir()) - before)
    executions = re.findall(r"stat::number_of_executed_units:\s+(\d+)", done.stderr)
    executions = executions or re.findall(r"^#(\d+)", done.stderr, re.MULTILINE) or ["0"]
    features = re.findall(r" ft: (\d+)", done.stderr) or ["0"]
    told = ", ".join(map(str, inputs)) or ("nothing" if not done.returncode else "it did not run")
    print(f"{name:12}{executions[-1]:>12}{features[-1]:>10}  {told}", flush=True)
    if done.returncode:
        said = done.stdout + done.stderr
        start = said.find("Uncaught Python exception")
        print(said[start if start >= 0 else -2000 :][:3000], flush=True)
    if not any(found.iterdir()):
        found.rmdir()
    return not done.returncode and not inputs


if __name__ == "__main__":
    sys.exit(main())
