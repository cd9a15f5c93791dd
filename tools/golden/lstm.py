"""Computes an LSTM gate by gate, with weights in the form of forebay, and compares it with torch.nn.LSTM."""

import torch

from draws import Draws, trainable
from record import same

INPUTS, UNITS, BATCH = 3, 4, 2
GATES = ["forget", "input", "output", "cell"]
# torch.nn.LSTM stacks the gates of each weight in this order.
TORCH_ORDER = ["input", "forget", "cell", "output"]


def unroll(xs, hidden, cell, gates):
    """Computes the LSTM as forebay does. Returns every hidden state, and the last cell.

    Each gate has a weight of shape [inputs + units, units] and a bias. It reads z, the concatenation of x and h.
    """
    every = []
    for x in xs:
        z = torch.cat([x, hidden], 1)
        affine = {name: z @ weight + bias for name, (weight, bias) in gates.items()}
        forget, admit, output = (
            torch.sigmoid(affine[name]) for name in ["forget", "input", "output"]
        )
        cell = forget * cell + admit * torch.tanh(affine["cell"])
        hidden = output * torch.tanh(cell)
        every.append(hidden)
    return torch.stack(every), cell


def torchs_own(gates):
    """Returns torch.nn.LSTM with the same weights, transposed, separate for x and h, and stacked by gate."""
    module = torch.nn.LSTM(INPUTS, UNITS, dtype=torch.float64)
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.cat([gates[g][0][:INPUTS].T for g in TORCH_ORDER]))
        module.weight_hh_l0.copy_(torch.cat([gates[g][0][INPUTS:].T for g in TORCH_ORDER]))
        module.bias_ih_l0.copy_(torch.cat([gates[g][1] for g in TORCH_ORDER]))
        module.bias_hh_l0.zero_()
    return module


def case(steps):
    draws = Draws(f"lstm {steps}")
    gates = {
        name: (
            trainable(draws.tensor(INPUTS + UNITS, UNITS, low=-1.1, high=1.1)),
            trainable(draws.tensor(UNITS, low=-0.6, high=0.9)),
        )
        for name in GATES
    }
    xs = trainable(draws.tensor(steps, BATCH, INPUTS))
    hidden, cell = (trainable(draws.tensor(BATCH, UNITS, low=-0.9, high=0.9)) for _ in range(2))
    hidden_cotangent = draws.tensor(steps, BATCH, UNITS)
    cell_cotangent = draws.tensor(BATCH, UNITS)

    def loss_of(every, last):
        return (every * hidden_cotangent).sum() + (last * cell_cotangent).sum()

    every, last = unroll(xs, hidden, cell, gates)
    loss = loss_of(every, last)
    loss.backward()
    check(gates, xs, hidden, cell, every, loss, loss_of)
    return {
        "title": f"{steps} steps",
        "xs": xs,
        "hidden": hidden,
        "cell": cell,
        "parameters": parameters(gates),
        "hiddenCotangent": hidden_cotangent,
        "cellCotangent": cell_cotangent,
        "everyHidden": every,
        "lastCell": last,
        "loss": loss,
        "gradients": {
            "xs": xs.grad,
            "hidden": hidden.grad,
            "cell": cell.grad,
            **parameters({name: (w.grad, b.grad) for name, (w, b) in gates.items()}),
        },
    }


def parameters(gates):
    """Returns the parameters by the names that forebay gives them, without the name of the layer."""
    named = {}
    for name, (weight, bias) in gates.items():
        named |= {f"{name}.weight": weight, f"{name}.bias": bias}
    return named


def check(gates, xs, hidden, cell, every, loss, loss_of):
    module = torchs_own(gates)
    xs, hidden, cell = trainable(xs), trainable(hidden), trainable(cell)
    torchs_every, (_, torchs_last) = module(xs, (hidden[None], cell[None]))
    torchs_loss = loss_of(torchs_every, torchs_last[0])
    torchs_loss.backward()
    same(every, torchs_every, "every hidden state")
    same(loss, torchs_loss, "loss")
    weight = torch.cat([module.weight_ih_l0.grad, module.weight_hh_l0.grad], 1)
    for i, name in enumerate(TORCH_ORDER):
        rows = slice(i * UNITS, (i + 1) * UNITS)
        same(gates[name][0].grad, weight[rows].T, f"gradient of {name}.weight")
        same(gates[name][1].grad, module.bias_ih_l0.grad[rows], f"gradient of {name}.bias")


def cases():
    return [case(5), case(20)]
