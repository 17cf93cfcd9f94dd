"""Recurrent convolutional networks as functional Keras models.

Importing this package registers every custom layer and optimizer, so that afterwards plain
`keras.models.load_model(path)` opens a saved run in safe mode.
"""

from lrcn.models import layers as layers
from lrcn.models import solvers as solvers
from lrcn.models import wording as wording
