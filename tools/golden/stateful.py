"""Trains an LSTM of PyTorch by truncated backpropagation: the state is carried from minibatch to minibatch, detached.

The weights are in the form of forebay. PyTorch's own LSTM computes with them, by `functional_call`.
"""

import torch
from torch import nn
from torch.func import functional_call

from draws import Draws, trainable
from lstm import GATES, TORCH_ORDER, parameters

INPUTS, UNITS, ROWS, STEPS, SEGMENTS, EPOCHS, RATE = 2, 3, 2, 3, 4, 2, 0.25


def in_torch(gates):
    """Returns the parameters of torch.nn.LSTM. They are computed, so that gradients flow back to the gates."""
    return {
        "weight_ih_l0": torch.cat([gates[g][0][:INPUTS].T for g in TORCH_ORDER]),
        "weight_hh_l0": torch.cat([gates[g][0][INPUTS:].T for g in TORCH_ORDER]),
        "bias_ih_l0": torch.cat([gates[g][1] for g in TORCH_ORDER]),
        "bias_hh_l0": torch.zeros(4 * UNITS, dtype=torch.float64),
    }


def case():
    draws = Draws("stateful")
    gates = {
        name: (trainable(draws.tensor(INPUTS + UNITS, UNITS)), trainable(draws.tensor(UNITS)))
        for name in GATES
    }
    trained = [tensor for gate in gates.values() for tensor in gate]
    xs = draws.tensor(SEGMENTS, STEPS, ROWS, INPUTS)
    targets = draws.tensor(SEGMENTS, STEPS, ROWS, UNITS, low=-0.9, high=0.9)
    before = {name: tensor.detach().clone() for name, tensor in parameters(gates).items()}
    module = nn.LSTM(INPUTS, UNITS, dtype=torch.float64)
    optimizer = torch.optim.SGD(trained, lr=RATE)
    losses, states = [], []
    for _ in range(EPOCHS):
        state = tuple(torch.zeros(1, ROWS, UNITS, dtype=torch.float64) for _ in range(2))
        for x, target in zip(xs, targets):
            every, state = functional_call(module, in_torch(gates), (x, state))
            loss = ((every - target) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            state = tuple(part.detach() for part in state)
            losses.append(loss)
            states.append([part[0] for part in state])
    # As examples along axis 0: row r of segment s is example s * ROWS + r.
    as_examples = lambda values: values.transpose(1, 2).reshape(SEGMENTS * ROWS, STEPS, -1)
    return {
        "title": f"{SEGMENTS} minibatches of {ROWS} rows, {EPOCHS} epochs",
        "rows": ROWS,
        "epochs": EPOCHS,
        "rate": RATE,
        "xs": as_examples(xs),
        "targets": as_examples(targets),
        "before": before,
        "losses": torch.stack(losses),
        "hidden": torch.stack([hidden for hidden, _ in states]),
        "cell": torch.stack([cell for _, cell in states]),
        "after": parameters(gates),
    }


def cases():
    return [case()]
