"""Reads the initial tensors of a workload into modules of PyTorch."""

import torch

DTYPES = {"float32": torch.float32, "float64": torch.float64, "int32": torch.int32}


def tensor_of(files, name):
    data, dtype, shape = files.read(name)
    return torch.frombuffer(data, dtype=DTYPES[dtype]).reshape(shape).clone()


def load_linear(layer, files, name):
    """Copies a weight and a bias into a layer. Transposes the weight.

    A weight has the shape [inputs, units] in forebay, but [units, inputs] in PyTorch.
    """
    with torch.no_grad():
        layer.weight.copy_(tensor_of(files, f"{name}.weight").T)
        layer.bias.copy_(tensor_of(files, f"{name}.bias"))


def linear_gradients(layer, name):
    return {f"{name}.weight": layer.weight.grad.T, f"{name}.bias": layer.bias.grad}
