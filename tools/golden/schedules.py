"""Records the rates of schedules, at the steps from 0 to a few steps after their ends.

The formulas of the schedules that PyTorch does not have are those of optax 0.2.8. They are compared with those of optax if
it is installed.
"""

import math

import torch

try:
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
except ImportError:
    optax = None


def case(title, schedule, options, steps, ours, theirs):
    """Returns the record of a case. `theirs` is called only with optax, and returns the schedule of optax."""
    rates = [ours(step) for step in range(steps)]
    if optax is not None:
        compared = [float(theirs()(step)) for step in range(steps)]
        worst = max(abs(a - b) for a, b in zip(rates, compared))
        assert worst < 1e-12, f"{title}: ours and those of optax differ by {worst}"
    return {"title": title, "schedule": schedule, "options": options, "rates": rates}


def scheduled(steps, make):
    """Returns the rates of a schedule of torch.optim, as a function of the step."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def cosine(peak, warmup, total, end):
    def rate(step):
        if step < warmup:
            return peak * step / warmup
        share = min(1, (step - warmup) / (total - warmup))
        return end + (peak - end) * (1 + math.cos(math.pi * share)) / 2

    return rate


def cases():
    options = {"peak": 0.3, "warmup": 3, "total": 10, "end": 0.01}
    theirs = lambda: optax.warmup_cosine_decay_schedule(0, 0.3, 3, 10, 0.01)
    yield case("cosine with a warm-up", "cosine", options, 13, cosine(0.3, 3, 10, 0.01), theirs)
    theirs = lambda: optax.cosine_decay_schedule(0.3, 7)
    yield case("cosine", "cosine", {"peak": 0.3, "total": 7}, 9, cosine(0.3, 0, 7, 0), theirs)
    options = {"from": 0.3, "to": 0.05, "total": 6}
    ours = lambda step: 0.3 + (0.05 - 0.3) * min(1, step / 6)
    yield case("linear", "linear", options, 9, ours, lambda: optax.linear_schedule(0.3, 0.05, 6))
    options = {"rate": 0.3, "decay": 0.7, "every": 4}
    ours = lambda step: 0.3 * 0.7 ** (step / 4)
    yield case("exponential", "exponential", options, 9, ours, lambda: optax.exponential_decay(0.3, 4, 0.7))
    # optax changes to the next rate at the step after a boundary.
    options = {"boundaries": [2, 5], "rates": [0.3, 0.06, 0.6]}
    ours = lambda step: 0.3 if step < 2 else 0.06 if step < 5 else 0.6
    theirs = lambda: optax.join_schedules([optax.constant_schedule(r) for r in (0.3, 0.06, 0.6)], [2, 5])
    yield case("piecewise", "piecewise", options, 8, ours, theirs)
    for total in (20, 3):
        rates = scheduled(total, lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.3, total_steps=total))
        yield {"title": f"one cycle of {total} steps", "schedule": "oneCycle", "options": {"peak": 0.3, "total": total}, "rates": rates}
