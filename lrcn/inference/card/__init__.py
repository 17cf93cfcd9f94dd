"""The model card of a run: what it learnt of what, how well it does, and where it ends."""
