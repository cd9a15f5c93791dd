"""Makes golden cases. A case is one use of one op: its value, its gradient for a random cotangent, and its second
derivative."""

import torch

from draws import Draws


def case(op, title, function, operands, args=None, *, smooth=False, gradients=True):
    """
    Returns the record of a case.

    op, args   the name of the function in forebay, and its arguments. In args, "$0" is operand 0, and
               {"op": .., "args": ..} is another op. By default, args are the operands.
    function   the same function of the operands in PyTorch
    smooth     True to record the second derivative, too. It is not recorded if this use of the op is linear.
    gradients  False if the gradient of forebay differs from that of PyTorch on purpose. A comment at the case says why.
    """
    draws = Draws(f"{op}: {title}")
    inputs = [operand(draws) for operand in operands]
    leaves = [x.requires_grad_() for x in inputs if x.dtype == torch.float64]
    output = function(*inputs)
    args = [f"${i}" for i in range(len(inputs))] if args is None else args
    record = {"op": op, "title": title, "args": args, "inputs": inputs, "output": output}
    if gradients and output.requires_grad:
        cotangent = draws.tensor(*output.shape)
        first = _gradients(output, leaves, cotangent, smooth)
        record |= {"cotangent": cotangent, "gradients": _in_place(inputs, leaves, first)}
        if smooth and any(g is not None and g.requires_grad for g in first):
            record["second"] = _second(inputs, leaves, first, draws)
    return record


def _gradients(output, leaves, cotangent, keep):
    return torch.autograd.grad(output, leaves, cotangent, create_graph=keep, allow_unused=True)


def _second(inputs, leaves, first, draws):
    """Returns random weights, and the gradient of sum(weights * gradients).

    This gradient depends on every entry of the second derivative.
    """
    weights = [None if g is None else draws.tensor(*g.shape) for g in first]
    total = sum((w * g).sum() for w, g in zip(weights, first) if g is not None)
    second = torch.autograd.grad(total, leaves, allow_unused=True)
    return {
        "weights": _in_place(inputs, leaves, weights),
        "gradients": _in_place(inputs, leaves, second),
    }


def _in_place(inputs, leaves, values):
    """Returns a list with the value for each input; None for an input without a gradient (int32, or stopped)."""
    of_leaf = {id(leaf): value for leaf, value in zip(leaves, values)}
    return [of_leaf.get(id(x)) for x in inputs]
