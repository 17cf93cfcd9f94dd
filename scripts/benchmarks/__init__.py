"""The parts of `scripts/benchmark.py`: each measures one thing beside what one would do instead."""
