"""Computes the layers of PyTorch: outputs, all gradients, and running statistics, with weights in the form of forebay."""

import torch
from torch import nn

from draws import Draws, trainable


def same_form(weight):
    """Returns a weight that has the same form in forebay and in PyTorch."""
    return weight


def affine(prefix=""):
    return {f"{prefix}weight": same_form, f"{prefix}bias": same_form}


def weights_of(module, forms, draws):
    """Draws the parameters of a module of PyTorch. Returns them in the form of forebay, by the paths of forebay."""
    named = dict(module.named_parameters())
    assert named.keys() == forms.keys(), f"{list(named)} differ from {list(forms)}"
    for parameter in named.values():
        with torch.no_grad():
            parameter.copy_(draws.tensor(*parameter.shape, low=-0.9, high=1.1))
    return {path: forms[path](parameter.detach().clone()) for path, parameter in named.items()}


def case(layer, title, options, module, x, forms, training=False):
    """Returns a case of a layer that is applied to one tensor."""
    draws = Draws(f"{layer} {title}")
    module = module.double().train(training)
    weights = weights_of(module, forms, draws)
    x = x(draws)
    if x.dtype == torch.float64:
        x = trainable(x)
    states = {}
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        with torch.no_grad():
            module.running_mean.copy_(draws.tensor(*module.running_mean.shape))
            module.running_var.copy_(draws.tensor(*module.running_var.shape, low=0.3, high=2))
        states = {"mean": module.running_mean.clone(), "variance": module.running_var.clone()}
    output = module(x.long() if x.dtype == torch.int32 else x)
    cotangent = draws.tensor(*output.shape)
    output.backward(cotangent)
    gradients = {path: forms[path](p.grad) for path, p in module.named_parameters()}
    return {
        "layer": layer,
        "title": title,
        "options": options,
        "training": training,
        "variables": {**weights, **states},
        "x": x,
        "output": output,
        "cotangent": cotangent,
        "gradients": {**gradients, **({} if x.grad is None else {"x": x.grad})},
    }


def running(title, options, module, *shape):
    """Returns a case of the running statistics of a batch normalisation after ten steps in training."""
    draws = Draws(f"BatchNorm, running, {title}")
    module = module.double().train()
    batches = [draws.tensor(*shape, low=-1 - step, high=2.0) for step in range(10)]
    for batch in batches:
        module(batch)
    return {
        "title": title,
        "layer": "BatchNorm",
        "options": options,
        "batches": torch.stack(batches),
        "states": {"mean": module.running_mean, "variance": module.running_var},
    }


def of(*shape, low=-1.5, high=1.5):
    return lambda draws: draws.tensor(*shape, low=low, high=high)


def convolutions():
    both = affine()
    yield case(
        "Conv1d", "with a bias", {"inputs": 3, "filters": 4, "size": 3, "padding": 1},
        nn.Conv1d(3, 4, 3, padding=1), of(2, 3, 5), both,
    )
    yield case(
        "Conv1d", "with strides, dilation and groups, without a bias",
        {"inputs": 4, "filters": 6, "size": 2, "stride": 2, "dilation": 2, "groups": 2, "bias": False},
        nn.Conv1d(4, 6, 2, stride=2, dilation=2, groups=2, bias=False), of(2, 4, 7), {"weight": same_form},
    )
    yield case(
        "Conv2d", "with sizes and padding that differ",
        {"inputs": 2, "filters": 3, "size": [2, 3], "padding": [1, 0]},
        nn.Conv2d(2, 3, (2, 3), padding=(1, 0)), of(2, 2, 4, 5), both,
    )
    yield case(
        "Conv2d", "with 'same' padding, dilation and groups",
        {"inputs": 4, "filters": 4, "size": 3, "padding": "same", "dilation": 2, "groups": 4},
        nn.Conv2d(4, 4, 3, padding="same", dilation=2, groups=4), of(1, 4, 5, 4), both,
    )
    yield case(
        "Conv2d", "with strides", {"inputs": 1, "filters": 2, "size": 2, "stride": [2, 1]},
        nn.Conv2d(1, 2, 2, stride=(2, 1)), of(2, 1, 4, 3), both,
    )


def transposed_convolutions():
    yield case(
        "ConvTranspose2d", "with strides, padding and groups",
        {"inputs": 4, "filters": 2, "size": [3, 2], "stride": 2, "padding": [1, 0], "outputPadding": [1, 0], "groups": 2},
        nn.ConvTranspose2d(4, 2, (3, 2), stride=2, padding=(1, 0), output_padding=(1, 0), groups=2),
        of(2, 4, 2, 3), affine(),
    )
    yield case(
        "ConvTranspose2d", "without a bias", {"inputs": 2, "filters": 3, "size": 2, "dilation": 2, "bias": False},
        nn.ConvTranspose2d(2, 3, 2, dilation=2, bias=False), of(1, 2, 3, 2), {"weight": same_form},
    )


def tokens(draws):
    return torch.tensor([[3, 0, 2], [0, 0, 4]], dtype=torch.int32)


def normalisations():
    both = affine()
    for training in (False, True):
        mode = "in training" if training else "in inference"
        yield case(
            "BatchNorm", f"of images, {mode}", {"features": 3},
            nn.BatchNorm2d(3), of(3, 3, 2, 2), both, training,
        )
        yield case(
            "BatchNorm", f"of vectors, {mode}", {"features": 4, "momentum": 0.3, "epsilon": 0.01},
            nn.BatchNorm1d(4, momentum=0.3, eps=0.01), of(5, 4), both, training,
        )
    yield case("LayerNorm", "of sequences", {"features": 5}, nn.LayerNorm(5), of(2, 3, 5), both)
    yield case(
        "LayerNorm", "with an epsilon", {"features": 4, "epsilon": 0.1}, nn.LayerNorm(4, eps=0.1), of(3, 4), both
    )
    yield case(
        "RMSNorm", "of sequences", {"features": 5}, nn.RMSNorm(5, eps=1e-5), of(2, 3, 5), {"weight": same_form}
    )
    yield case(
        "GroupNorm", "of images", {"features": 4, "groups": 2}, nn.GroupNorm(2, 4), of(2, 4, 2, 3), both
    )
    yield case(
        "GroupNorm", "of vectors", {"features": 6, "groups": 3, "epsilon": 0.1},
        nn.GroupNorm(3, 6, eps=0.1), of(3, 6), both,
    )


def cases():
    yield from convolutions()
    yield from transposed_convolutions()
    yield case("Embedding", "of rows of tokens", {"inputs": 5, "units": 3}, nn.Embedding(5, 3), tokens, {"weight": same_form})
    yield from normalisations()
    yield running("of images", {"features": 2}, nn.BatchNorm2d(2), 3, 2, 2, 1)
    yield running("of vectors", {"features": 3, "momentum": 0.3}, nn.BatchNorm1d(3, momentum=0.3), 4, 3)
