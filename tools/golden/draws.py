"""Random inputs from seeded streams, so that every run on every machine writes the same files.

They come from the generator of Python and not of PyTorch, because Python promises the same stream for a seed.
"""

import math
import random

import torch


class Draws:
    """A stream of random numbers that depends only on its name."""

    def __init__(self, name):
        self._random = random.Random(name)

    def tensor(self, *shape, low=-1.5, high=1.5, gap=0.0):
        """Uniform random numbers of magnitude `gap` or more. A gap avoids a kink or a pole of a function at 0."""
        values = [low + (high - low) * self._random.random() for _ in range(math.prod(shape))]
        values = [v + math.copysign(gap, v) if abs(v) < gap else v for v in values]
        return torch.tensor(values, dtype=torch.float64).reshape(shape)


def drawn(*shape, low=-1.9, high=1.9, gap=0.0):
    """An operand of random numbers, from the stream of its case."""
    return lambda draws: draws.tensor(*shape, low=low, high=high, gap=gap)


def given(values, dtype=torch.float64):
    """An operand with the given values."""
    return lambda _draws: torch.tensor(values, dtype=dtype)


def indices(values):
    return given(values, torch.int32)


def trainable(tensor):
    return tensor.detach().clone().requires_grad_()
