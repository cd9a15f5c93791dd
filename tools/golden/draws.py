"""Inputs: drawn from seeded, fixed streams, so that every run on every machine writes the same files.

Python's own generator, not torch's: its stream for a seed is part of the language's promises.
"""

import math
import random

import torch


class Draws:
    """A stream of numbers that depends on its name alone."""

    def __init__(self, name):
        self._random = random.Random(name)

    def tensor(self, *shape, low=-1.5, high=1.5, gap=0.0):
        """Uniform draws; `gap` keeps them that far away from 0, where a function has a kink or a pole."""
        values = [low + (high - low) * self._random.random() for _ in range(math.prod(shape))]
        values = [v + math.copysign(gap, v) if abs(v) < gap else v for v in values]
        return torch.tensor(values, dtype=torch.float64).reshape(shape)


def drawn(*shape, low=-1.9, high=1.9, gap=0.0):
    """An operand that its case draws from the case's own stream."""
    return lambda draws: draws.tensor(*shape, low=low, high=high, gap=gap)


def given(values, dtype=torch.float64):
    """An operand of given values."""
    return lambda _draws: torch.tensor(values, dtype=dtype)


def indices(values):
    return given(values, torch.int32)


def trainable(tensor):
    return tensor.detach().clone().requires_grad_()
