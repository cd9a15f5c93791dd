"""How golden values are written: JSON, numbers as Python's repr, which reads back to the same bits."""

import json
import math
import pathlib
import platform

import torch


def number(value):
    """JSON has no NaN and no infinities: they are strings, by their names in JavaScript."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def encode(value):
    """Tensors become {shape, data} in row-major order, with the dtype where it is not float64."""
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
    """One line for each case: a change of one is one line of a diff."""
    lines = ",\n".join(json.dumps(encode(case), allow_nan=False) for case in cases)
    # Without the build's label, such as +cpu: all builds of a version compute these values.
    version = torch.__version__.split("+")[0]
    head = f'"torch": "{version}", "python": "{platform.python_version()}"'
    text = f'{{{head}, "cases": [\n{lines}\n]}}\n'
    path = pathlib.Path(folder) / f"{name}.json"
    path.write_text(text, encoding="utf-8")
    return path


def same(ours, torchs, what):
    """Our own formula and torch's must agree, or neither is written down."""
    worst = ((ours - torchs).abs() / torchs.abs().clamp(min=1)).max().item()
    assert worst < 1e-12, f"{what}: ours and torch's differ by {worst}"
