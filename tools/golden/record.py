"""Writes golden values as JSON. Numbers are written by repr, so that a reader gets the same bits."""

import json
import math
import pathlib
import platform

import torch


def number(value):
    """Returns a value for JSON. NaN and infinities become strings, their JavaScript names, because JSON lacks them."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def encode(value):
    """Returns a value for JSON. A tensor becomes {shape, data}, row-major, with its dtype if it is not float64."""
    if isinstance(value, torch.Tensor):
        flat = value.detach().reshape(-1).tolist()
        encoded = {"shape": list(value.shape), "data": [number(v) for v in flat]}
        if value.dtype != torch.float64:
            encoded["dtype"] = str(value.dtype).removeprefix("torch.")
        return encoded
    if isinstance(value, dict):
        return {key: encode(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(v) for v in value]
    return number(value)


def write(folder, name, cases):
    """Writes the cases to a file and returns its path. A case is one line, so that a diff shows the changed cases."""
    lines = ",\n".join(json.dumps(encode(case), allow_nan=False) for case in cases)
    # The label of the build, such as +cpu, is left out, because all builds of a version compute these values.
    version = torch.__version__.split("+")[0]
    head = f'"torch": "{version}", "python": "{platform.python_version()}"'
    text = f'{{{head}, "cases": [\n{lines}\n]}}\n'
    path = pathlib.Path(folder) / f"{name}.json"
    path.write_text(text, encoding="utf-8")
    return path


def same(ours, torchs, what):
    """Fails if the result of our own formula differs from the result of PyTorch."""
    worst = ((ours - torchs).abs() / torchs.abs().clamp(min=1)).max().item()
    assert worst < 1e-12, f"{what}: ours and torch's differ by {worst}"
