"""Using a trained run: evaluation, prediction, pictures."""
