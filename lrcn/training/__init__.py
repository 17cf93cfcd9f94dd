"""Fitting, resuming and watching a run."""
