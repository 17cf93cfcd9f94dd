"""Losses and metrics, free of any training or file."""
