"""Records ten training steps of each optimizer of torch.optim on a small problem that is not quadratic."""

import torch

from draws import Draws, trainable

STEPS = 10


def problem():
    """Returns the loss mean((tanh(x w + b) - y)^2) + 0.05 sum(w^4) and its variables.

    The initial values are the same for every optimizer.
    """
    draws = Draws("optimizers")
    x, y = draws.tensor(5, 3), draws.tensor(5, 2)
    w, b = trainable(draws.tensor(3, 2)), trainable(draws.tensor(2))

    def loss():
        return ((torch.tanh(x @ w + b) - y) ** 2).mean() + 0.05 * (w**4).sum()

    return x, y, w, b, loss


def case(title, optimizer, options, make, moments):
    """Returns the record of a case. `moments` maps the names of the states in forebay to their names in PyTorch."""
    x, y, w, b, loss = problem()
    start = {"w": w.detach().clone(), "b": b.detach().clone()}
    torchs = make([w, b])
    steps = []
    for _ in range(STEPS):
        torchs.zero_grad()
        before = loss()
        before.backward()
        torchs.step()
        steps.append({"loss": before.item(), "w": w.detach().clone(), "b": b.detach().clone()})
    states = {
        f"{name}.{optimizer}.{ours}": torchs.state[leaf][theirs]
        for name, leaf in {"w": w, "b": b}.items()
        for ours, theirs in moments.items()
    }
    record = {"title": title, "optimizer": optimizer, "options": options, "x": x, "y": y}
    return record | {"start": start, "steps": steps, "states": states}


def sgd(title, rate, momentum=0.0):
    options = {"rate": rate, "momentum": momentum}
    moments = {"velocity": "momentum_buffer"} if momentum else {}
    make = lambda leaves: torch.optim.SGD(leaves, lr=rate, momentum=momentum)
    return case(title, "sgd", options, make, moments)


def adam(title, options):
    """Returns a case of Adam. An option that is left out has the default of PyTorch, which is that of the paper."""
    given = {"lr": options["rate"]} if "rate" in options else {}
    if "beta1" in options:
        given |= {"betas": (options["beta1"], options["beta2"]), "eps": options["epsilon"]}
    make = lambda leaves: torch.optim.Adam(leaves, **given)
    return case(title, "adam", options, make, {"m": "exp_avg", "v": "exp_avg_sq"})


def cases():
    yield sgd("SGD", 0.3)
    yield sgd("SGD with momentum", 0.13, momentum=0.85)
    yield adam("Adam, all defaults", {})
    yield adam("Adam, rate 0.07", {"rate": 0.07})
    others = {"rate": 0.11, "beta1": 0.7, "beta2": 0.93, "epsilon": 1e-3}
    yield adam("Adam, other betas and epsilon", others)
