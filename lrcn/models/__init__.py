"""Recurrent convolutional networks as functional Keras models."""
