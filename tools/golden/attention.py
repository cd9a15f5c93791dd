"""Computes the layers of PyTorch that have attention, with weights in the form of forebay."""

import torch
from torch import nn

from draws import Draws, trainable

FEATURES, HEADS, BATCH, LENGTH = 4, 2, 2, 3


def attention_weights(attention, prefix=""):
    """Returns pairs of a path of forebay and a function that takes the part of it from a value or gradient by name."""

    def part(name, index, transpose):
        def take(of):
            rows = of[name][index * FEATURES : (index + 1) * FEATURES]
            return rows.T if transpose else rows

        return take

    paths = {}
    for index, key in enumerate(["query", "key", "value"]):
        paths[f"{prefix}{key}.weight"] = part(f"{attention}in_proj_weight", index, True)
        paths[f"{prefix}{key}.bias"] = part(f"{attention}in_proj_bias", index, False)
    return paths | dense(f"{attention}out_proj", f"{prefix}output")


def dense(name, path):
    return {f"{path}.weight": lambda of: of[f"{name}.weight"].T, f"{path}.bias": lambda of: of[f"{name}.bias"]}


def norm(name):
    return {f"{name}.{key}": lambda of, key=key: of[f"{name}.{key}"] for key in ["weight", "bias"]}


def drawn(module, draws):
    module = module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(draws.tensor(*parameter.shape, low=-0.9, high=1.1))
    return module


def record(layer, title, options, module, paths, operands, call, output, draws, training):
    cotangent = draws.tensor(*output.shape)
    output.backward(cotangent)
    values = {name: p.detach() for name, p in module.named_parameters()}
    gradients = {name: p.grad for name, p in module.named_parameters()}
    return {
        "layer": layer,
        "title": title,
        "options": options,
        "training": training,
        "variables": {path: take(values) for path, take in paths.items()},
        "operands": operands,
        "call": call,
        "output": output,
        "cotangent": cotangent,
        "gradients": {path: take(gradients) for path, take in paths.items()},
        "operandGradients": [operand.grad for operand in operands],
    }


def attention(title, lengths, mask=None, causal=False):
    """Returns a case of MultiHeadAttention. `mask` is that of forebay: True takes part, or numbers to add."""
    draws = Draws(f"MultiHeadAttention {title}")
    module = drawn(nn.MultiheadAttention(FEATURES, HEADS, batch_first=True), draws).train()
    operands = [trainable(draws.tensor(BATCH, length, FEATURES)) for length in lengths]
    q, k, v = operands if len(operands) == 3 else operands * 3
    torchs = None
    if mask is not None:
        # PyTorch wants one mask for each example and head.
        torchs = mask.expand(BATCH, HEADS, q.shape[1], k.shape[1]).reshape(-1, q.shape[1], k.shape[1])
        torchs = ~torchs if mask.dtype == torch.bool else torchs
    if causal:
        torchs = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool).triu(1)
    output, _ = module(q, k, v, attn_mask=torchs, need_weights=False)
    options = {"features": FEATURES, "heads": HEADS}
    call = {"mask": mask, "causal": causal}
    paths = attention_weights("")
    return record("MultiHeadAttention", title, options, module, paths, operands, call, output, draws, True)


def encoder(title, training, causal=False, **options):
    draws = Draws(f"TransformerEncoderLayer {title}")
    torchs = {"norm_first": options.get("normFirst", False), "activation": options.get("activation", "relu")}
    # Dropout is compared in inference only, because PyTorch draws other numbers.
    rate = 0 if training else 0.4
    module = nn.TransformerEncoderLayer(FEATURES, HEADS, 3, dropout=rate, batch_first=True, **torchs)
    module = drawn(module, draws).train(training)
    operands = [trainable(draws.tensor(BATCH, LENGTH, FEATURES))]
    mask = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1) if causal else None
    output = module(operands[0], src_mask=mask)
    paths = attention_weights("self_attn.", "attention.") | dense("linear1", "hidden") | dense("linear2", "output")
    paths |= norm("norm1") | norm("norm2")
    options = {"features": FEATURES, "heads": HEADS, "hidden": 3, "dropout": rate, **options}
    call = {"mask": None, "causal": causal}
    return record("TransformerEncoderLayer", title, options, module, paths, operands, call, output, draws, training)


def cases():
    some = torch.tensor([[True, False, True], [True, True, False], [False, True, True]])
    yield attention("of one operand", [LENGTH])
    yield attention("of one operand, causal", [LENGTH], causal=True)
    yield attention("of three operands, with a mask for each example", [2, 3, 3], mask=some[:2].reshape(2, 1, 1, 3))
    added = Draws("mask").tensor(2, 3)
    yield attention("of three operands, with a mask that is added", [2, 3, 3], mask=added)
    yield encoder("in training", True)
    yield encoder("that normalises first, causal, in inference", False, causal=True, normFirst=True)
