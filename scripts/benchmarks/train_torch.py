"""AlexNet and LSTM in PyTorch, as one would write and train them on folders of JPEGs.

The same network, batch, clips, crops, dropout and optimizer as `lrcn train workflow=lstm
backbone=caffenet augment=crop_mirror optimizer=sgd`.
"""

from __future__ import annotations

import pathlib
import random
import time

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset

MEAN = (123.68, 116.779, 103.939)


class Clips(Dataset):
    """A random clip of each folder of frames, cropped and mirrored at random as a whole."""

    def __init__(self, root: str, length: int, size: int):
        folders = [folder for folder in sorted(pathlib.Path(root).iterdir()) if folder.is_dir()]
        self.files = [sorted(folder.glob("*.jpg")) for folder in folders]
        self.length, self.size = length, size

    def __len__(self):
        """Returns the number of folders."""
        return len(self.files)

    def __getitem__(self, index):
        """Returns a clip [time, 3, height, width] uint8 and its label."""
        files = self.files[index]
        start = random.randint(0, len(files) - self.length)
        frames = [Image.open(file).convert("RGB") for file in files[start : start + self.length]]
        left = random.randint(0, frames[0].width - self.size)
        top = random.randint(0, frames[0].height - self.size)
        box = (left, top, left + self.size, top + self.size)
        clip = np.stack([np.asarray(frame.crop(box)) for frame in frames])
        if random.random() < 0.5:
            clip = clip[:, :, ::-1]
        return torch.from_numpy(np.ascontiguousarray(clip)).permute(0, 3, 1, 2), index % 8


class Network(nn.Module):
    """CaffeNet up to fc6 over each frame, an LSTM, and a classifier at every step."""

    def __init__(self, size: int, classes: int = 8):
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.cnn = nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0),
            nn.Conv2d(96, 256, 5, padding=2, groups=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0),
            nn.Conv2d(256, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 384, 3, padding=1, groups=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1, groups=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.Flatten(),
        )
        with torch.no_grad():
            features = self.cnn(torch.zeros(1, 3, size, size)).shape[1]
        self.fc6 = nn.Sequential(nn.Linear(features, 4096), nn.ReLU(inplace=True))
        self.lstm = nn.LSTM(4096, 256, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.classes = nn.Linear(256, classes)

    def forward(self, clips):
        """Returns logits [batch, time, classes] of clips [batch, time, 3, height, width] uint8."""
        batch, length = clips.shape[:2]
        frames = clips.flatten(0, 1).float() - self.mean
        frames = frames.contiguous(memory_format=torch.channels_last)
        features = self.fc6(self.cnn(frames)).view(batch, length, -1)
        states, _ = self.lstm(features)
        return self.classes(self.dropout(states))


def loader_of(root: str, batch: int, length: int, size: int) -> DataLoader:
    """Returns batches of clips in random order, read by two workers."""
    clips = Clips(root, length, size)
    return DataLoader(clips, batch, shuffle=True, num_workers=2, persistent_workers=True)


def epochs(root: str, batch: int, length: int, size: int, half: bool):
    """Returns a turn that trains an epoch and returns frames per second.

    Args:
        root: Folder of folders of frames.
        batch: Clips in a batch.
        length: Frames of a clip.
        size: Height and width of the crops.
        half: Whether the forward pass is autocast to bfloat16.
    """
    torch.manual_seed(0)
    network = Network(size).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
    loss_of = nn.CrossEntropyLoss()
    loader = loader_of(root, batch, length, size)

    def epoch() -> dict[str, float]:
        began, total = time.perf_counter(), 0.0
        for frames, labels in loader:
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
                logits = network(frames)
                targets = labels[:, None].expand(-1, length)
                loss = loss_of(logits.flatten(0, 1).float(), targets.flatten())
            loss.backward()
            optimizer.step()
            total += loss.item()
        return {"rate": len(loader.dataset) * length / (time.perf_counter() - began), "loss": total}

    return epoch
