"""A run outside Keras: one function from frames to an answer, in the format of another runtime."""
