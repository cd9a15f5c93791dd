"""Records ten training steps of each optimizer of torch.optim on a small problem that is not quadratic.

PyTorch has no Lion. Its steps are computed by the formula of optax 0.2.8, and compared with those of optax if it is
installed.
"""

import torch

from draws import Draws, trainable
from record import same

try:
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
except ImportError:
    optax = None

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


class Lion(torch.optim.Optimizer):
    """Lion with the formula of optax: p - lr (sign(beta1 m + (1 - beta1) g) + weight_decay p)."""

    def __init__(self, leaves, lr, betas, weight_decay):
        super().__init__(leaves, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                direction = torch.sign(beta1 * m + (1 - beta1) * p.grad)
                if optax is not None:
                    self.compare(p, m, direction, group)
                m.mul_(beta2).add_(p.grad, alpha=1 - beta2)
                p.sub_(group["lr"] * (direction + group["weight_decay"] * p))

    def compare(self, p, m, direction, group):
        beta1, beta2 = group["betas"]
        theirs = optax.lion(group["lr"], beta1, beta2, weight_decay=group["weight_decay"])
        values = [jax.numpy.asarray(value.detach().numpy()) for value in (p, m, p.grad)]
        state = theirs.init(values[0])
        state = (state[0]._replace(mu=values[1]), *state[1:])
        update, _ = theirs.update(values[2], state, values[0])
        ours = -group["lr"] * (direction + group["weight_decay"] * p)
        same(ours, torch.tensor(update.tolist(), dtype=torch.float64), "lion")


def clipped(make, maximum):
    """Returns a function like `make` whose optimizers multiply the gradients by min(1, maximum / norm) first."""

    def made(leaves):
        optimizer = make(leaves)
        step = optimizer.step

        def clipped_step():
            norm = torch.sqrt(sum((leaf.grad**2).sum() for leaf in leaves))
            for leaf in leaves:
                leaf.grad.mul_(torch.clamp(maximum / norm, max=1))
            step()

        optimizer.step = clipped_step
        return optimizer

    return made


def matrices(leaves, weight_decay):
    """Returns groups of parameters of which only those of rank 2 or more decay."""
    decays = lambda leaf: weight_decay if leaf.dim() > 1 else 0.0
    return [{"params": [leaf], "weight_decay": decays(leaf)} for leaf in leaves]


def more(title, optimizer, options, make, moments):
    """Returns the record of a case with the losses before all steps, and the parameters after the last one."""
    record = case(title, optimizer, options, make, moments)
    *earlier, last = record["steps"]
    return record | {"steps": [{"loss": step["loss"]} for step in earlier] + [last]}


def adam_like(title, optimizer, kind, options, others):
    """Returns a case of Adam or AdamW with options that both libraries have under the names of PyTorch in `others`."""
    moments = {"m": "exp_avg", "v": "exp_avg_sq"}
    if "amsgrad" in options:
        moments["largest"] = "max_exp_avg_sq"
    make = lambda leaves: kind(leaves, lr=options.get("rate", 1e-3), **others)
    return more(title, optimizer, options, make, moments)


def cases():
    yield sgd("SGD", 0.3)
    yield sgd("SGD with momentum", 0.13, momentum=0.85)
    yield adam("Adam, all defaults", {})
    yield adam("Adam, rate 0.07", {"rate": 0.07})
    others = {"rate": 0.11, "beta1": 0.7, "beta2": 0.93, "epsilon": 1e-3}
    yield adam("Adam, other betas and epsilon", others)

    options = {"rate": 0.13, "momentum": 0.85, "nesterov": True, "weightDecay": 0.2}
    others = {"momentum": 0.85, "nesterov": True, "weight_decay": 0.2}
    make = lambda leaves: torch.optim.SGD(leaves, lr=0.13, **others)
    yield more("SGD with Nesterov's momentum and decay", "sgd", options, make, {"velocity": "momentum_buffer"})
    options = {"rate": 0.07, "weightDecay": 0.2, "amsgrad": True}
    others = {"weight_decay": 0.2, "amsgrad": True}
    yield adam_like("Adam with decay and AMSGrad", "adam", torch.optim.Adam, options, others)
    yield adam_like("AdamW, all defaults", "adamW", torch.optim.AdamW, {}, {})
    options = {"rate": 0.07, "weightDecay": 0.3, "beta2": 0.95, "epsilon": 1e-3}
    others = {"weight_decay": 0.3, "betas": (0.9, 0.95), "eps": 1e-3}
    yield adam_like("AdamW, other options", "adamW", torch.optim.AdamW, options, others)
    options = {"rate": 0.07, "weightDecay": 0.3, "decays": "matrices", "clipGlobalNorm": 0.2}
    make = clipped(lambda leaves: torch.optim.AdamW(matrices(leaves, 0.3), lr=0.07), 0.2)
    yield more("AdamW, clipped, without decay of the bias", "adamW", options, make, {"m": "exp_avg", "v": "exp_avg_sq"})
    make = lambda leaves: torch.optim.RMSprop(leaves)
    yield more("RMSProp, all defaults", "rmsProp", {}, make, {"square": "square_avg"})
    options = {"rate": 0.02, "decay": 0.9, "epsilon": 1e-3, "centered": True, "momentum": 0.8}
    others = {"alpha": 0.9, "eps": 1e-3, "centered": True, "momentum": 0.8}
    make = lambda leaves: torch.optim.RMSprop(leaves, lr=0.02, **others)
    moments = {"square": "square_avg", "mean": "grad_avg", "velocity": "momentum_buffer"}
    yield more("RMSProp, centered, with momentum", "rmsProp", options, make, moments)
    make = lambda leaves: torch.optim.Adagrad(leaves)
    yield more("Adagrad, all defaults", "adagrad", {}, make, {"sum": "sum"})
    options = {"rate": 0.1, "initial": 0.1, "epsilon": 1e-3}
    make = lambda leaves: torch.optim.Adagrad(leaves, lr=0.1, initial_accumulator_value=0.1, eps=1e-3)
    yield more("Adagrad, other options", "adagrad", options, make, {"sum": "sum"})
    options = {"rate": 0.05, "beta1": 0.8, "beta2": 0.9, "weightDecay": 0.3}
    make = lambda leaves: Lion(leaves, 0.05, (0.8, 0.9), 0.3)
    yield more("Lion", "lion", options, make, {"m": "exp_avg"})
