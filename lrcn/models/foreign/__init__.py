"""Weights that other programs wrote: files are read without those programs, and become Keras's."""
