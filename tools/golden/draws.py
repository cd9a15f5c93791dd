"""Random inputs from seeded streams, so that every run on every machine writes the same files.

They are drawn by the generator of Python, not that of PyTorch, because Python promises the same stream for a seed.
"""

import math
import random

import torch


class Draws:
    """A stream of random numbers that depends only on its name."""

    def __init__(self, name):
        self._random = random.Random(name)

    def tensor(self, *shape, low=-1.5, high=1.5, gap=0.0):
        """Returns uniform random numbers whose absolute value is at least `gap`.

        A gap avoids points near 0 at which a function has a kink or a pole.
        """
        values = [low + (high - low) * self._random.random() for _ in range(math.prod(shape))]
        values = [v + math.copysign(gap, v) if abs(v) < gap else v for v in values]
        return torch.tensor(values, dtype=torch.float64).reshape(shape)


def drawn(*shape, low=-1.9, high=1.9, gap=0.0):
    """Returns a function that draws an operand of random numbers from the stream of a case."""
    return lambda draws: draws.tensor(*shape, low=low, high=high, gap=gap)


def given(values, dtype=torch.float64):
    """Returns a function that makes an operand with the given values. It draws nothing from the stream."""
    return lambda _draws: torch.tensor(values, dtype=dtype)


def indices(values):
    return given(values, torch.int32)


def trainable(tensor):
    return tensor.detach().clone().requires_grad_()
