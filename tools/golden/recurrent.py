"""Computes the recurrent layers of PyTorch, with several layers and directions, with weights in the form of forebay."""

import torch
from torch import nn
from torch.nn.utils import rnn

from draws import Draws, trainable

INPUTS, UNITS, BATCH, STEPS = 1, 2, 2, 3
# The gates of forebay, in the order in which PyTorch stacks their weights.
GATES = {"LSTM": ["input", "forget", "cell", "output"], "GRU": ["reset", "update", "candidate"], "SimpleRNN": [""]}
TORCH = {"LSTM": nn.LSTM, "GRU": nn.GRU, "SimpleRNN": nn.RNN}


def path_of(layer, direction, layers, bidirectional):
    """Returns the beginning of the paths of the parameters of a layer and direction."""
    above = [f"layers.{layer}."] if layers > 1 else []
    return "".join(above + ([f"{direction}."] if bidirectional else []))


def parameters(kind, inputs, draws):
    """Draws the parameters of a layer and direction, by paths of forebay."""
    named = {}
    for gate in GATES[kind]:
        prefix = f"{gate}." if gate else ""
        if gate == "candidate":
            named[f"{prefix}inputWeight"] = draws.tensor(inputs, UNITS)
            named[f"{prefix}recurrentWeight"] = draws.tensor(UNITS, UNITS)
            named[f"{prefix}bias"] = draws.tensor(UNITS)
            named[f"{prefix}recurrentBias"] = draws.tensor(UNITS)
        else:
            named[f"{prefix}weight"] = draws.tensor(inputs + UNITS, UNITS)
            named[f"{prefix}bias"] = draws.tensor(UNITS)
    return named


def in_torch(kind, inputs, named):
    """Returns weight_ih, weight_hh, bias_ih and bias_hh of PyTorch. They are computed, so that gradients flow back."""
    parts = []
    for gate in GATES[kind]:
        prefix = f"{gate}." if gate else ""
        if gate == "candidate":
            keys = ["inputWeight", "recurrentWeight", "bias", "recurrentBias"]
            wx, wh, bx, bh = (named[prefix + key] for key in keys)
        else:
            weight = named[f"{prefix}weight"]
            wx, wh, bx = weight[:inputs], weight[inputs:], named[f"{prefix}bias"]
            bh = torch.zeros_like(bx)
        parts.append((wx.T, wh.T, bx, bh))
    return [torch.cat(list(part)) for part in zip(*parts)]


def case(kind, title, layers=1, bidirectional=False, lengths=None, steps=STEPS):
    """Returns a case of a layer. If `lengths` are given, its input is packed, and its hidden states are padded by zeros."""
    batch = BATCH if lengths is None else len(lengths)
    draws = Draws(f"{kind} {title}")
    directions = ["forward", "backward"] if bidirectional else ["forward"]
    module = TORCH[kind](INPUTS, UNITS, num_layers=layers, bidirectional=bidirectional).double()
    named, torchs = {}, {}
    for layer in range(layers):
        inputs = INPUTS if layer == 0 else UNITS * len(directions)
        for direction in directions:
            own = {key: trainable(value) for key, value in parameters(kind, inputs, draws).items()}
            suffix = f"l{layer}" + ("_reverse" if direction == "backward" else "")
            names = [f"{name}_{suffix}" for name in ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]]
            torchs |= dict(zip(names, in_torch(kind, inputs, own)))
            prefix = path_of(layer, direction, layers, bidirectional)
            named |= {prefix + key: value for key, value in own.items()}
    keys = ["hidden", "cell"] if kind == "LSTM" else ["hidden"]
    count = layers * len(directions)
    xs = trainable(draws.tensor(steps, batch, INPUTS))
    initial = {key: trainable(draws.tensor(count, batch, UNITS, low=-0.9, high=0.9)) for key in keys}
    states = tuple(initial.values()) if kind == "LSTM" else initial["hidden"]
    read = xs if lengths is None else rnn.pack_padded_sequence(xs, torch.tensor(lengths), enforce_sorted=False)
    hidden, last = torch.func.functional_call(module, torchs, (read, states))
    if lengths is not None:
        hidden, _ = rnn.pad_packed_sequence(hidden, total_length=steps)
    last = dict(zip(keys, last if kind == "LSTM" else [last]))
    hidden_cotangent = draws.tensor(*hidden.shape)
    last_cotangents = {key: draws.tensor(*value.shape) for key, value in last.items()}
    loss = (hidden * hidden_cotangent).sum()
    for key, value in last.items():
        loss = loss + (value * last_cotangents[key]).sum()
    loss.backward()
    return {
        "layer": kind,
        "title": title,
        "options": {"inputs": INPUTS, "units": UNITS, "layers": layers, "bidirectional": bidirectional},
        "variables": named,
        **({} if lengths is None else {"lengths": torch.tensor(lengths, dtype=torch.int32)}),
        "xs": xs,
        "initial": initial,
        "hidden": hidden,
        "last": last,
        "cotangents": {"hidden": hidden_cotangent, "last": last_cotangents},
        "gradients": {
            "xs": xs.grad,
            "initial": {key: value.grad for key, value in initial.items()},
            "variables": {path: value.grad for path, value in named.items()},
        },
    }


def cases():
    for kind in ["SimpleRNN", "GRU", "LSTM"]:
        yield case(kind, "of one layer")
        yield case(kind, "of two layers and directions", layers=2, bidirectional=True)
    yield case("LSTM", "of two layers", layers=2)
    yield case("GRU", "of two directions", bidirectional=True)
