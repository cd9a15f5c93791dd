"""The cases of functions that are composed of other ops: activations, clamp, elementary functions and reductions."""

import torch
import torch.nn.functional as F

from draws import drawn, given
from op_case import case

INF, NAN = float("inf"), float("nan")
POINTS = [-1000.0, -40.0, -3.2, -1e-9, -0.0, 0.0, 1e-9, 0.5, 2.9, 3.7, 25.0, 100.0]

# Each entry is name: (the function of PyTorch, the options, whether the values at the infinities are compared).
# Where they are not, PyTorch (2.15) gives NaN for a product of 0 and an infinity, and forebay the limit.
ACTIVATIONS = {
    "gelu": (F.gelu, {}, False),
    "silu": (F.silu, {}, False),
    "mish": (F.mish, {}, False),
    "elu": (F.elu, {"alpha": 1.7}, True),
    "selu": (F.selu, {}, True),
    "leakyRelu": (lambda x: F.leaky_relu(x, 0.3), {"slope": 0.3}, True),
    "hardSwish": (F.hardswish, {}, False),
    "sinh": (torch.sinh, {}, True),
    "cosh": (torch.cosh, {}, True),
    "clamp": (lambda x: x.clamp(-0.5, 0.7), {"min": -0.5, "max": 0.7}, True),
}


def activations():
    for op, (function, options, infinite) in ACTIVATIONS.items():
        torchs = (lambda x: F.elu(x, 1.7)) if op == "elu" else function
        args = ["$0", options] if options else ["$0"]
        smooth = op not in ("clamp", "leakyRelu")
        yield case(op, "[2, 3]", torchs, [drawn(2, 3)], args, smooth=smooth)
        points = POINTS + ([INF, -INF] if infinite else [])
        yield case(op, "special points", torchs, [given(points)], args)
        # At NaN, some gradients of PyTorch are 1 or the slope, and those of forebay are NaN.
        yield case(op, "NaN", torchs, [given([NAN, 0.3])], args, gradients=False)
    bounds = {"min": -1.0, "max": 2.0}
    yield case(
        "clamp",
        "at the bounds",
        lambda x: x.clamp(-1.0, 2.0),
        [given([-1.0, 2.0, NAN, INF, 1.5])],
        ["$0", bounds],
    )
    swapped = {"min": 2.0, "max": -1.0}
    yield case(
        "clamp",
        "min above max",
        lambda x: x.clamp(2.0, -1.0),
        [given([-3.0, 0.5, 3.0])],
        ["$0", swapped],
    )
    tanh = {"approximate": "tanh"}
    yield case("gelu", "tanh", lambda x: F.gelu(x, **tanh), [drawn(2, 3)], ["$0", tanh], smooth=True)
    yield case("gelu", "tanh, points", lambda x: F.gelu(x, **tanh), [given(POINTS)], ["$0", tanh])
    # The gradient of PyTorch has 1 / 6 rounded to float32, also in float64.
    yield case("hardSigmoid", "points", F.hardsigmoid, [given(POINTS + [INF])], gradients=False)
    for op, function in {"log2": torch.log2, "reciprocal": torch.reciprocal}.items():
        yield case(op, "[2, 3]", function, [drawn(2, 3, low=0.3, high=3.0)], smooth=True)
        yield case(op, "special points", function, [given([0.0, 1.0, 8.0, 1e300, INF, NAN])])


def reductions():
    shape = [2, 3, 2]
    ties = [[1.0, 1.0, 4.0], [2.0, -1.5, -1.5], [INF, INF, INF]]
    yield case("min", "axis 1", lambda x: x.amin(1), [drawn(*shape)], ["$0", 1])
    yield case("min", "ties", lambda x: x.amin(-1), [given(ties)], ["$0", -1])
    yield case("min", "NaN", lambda x: x.amin(), [given([NAN, 1.0])], ["$0"])
    for correction in [0, 1]:
        options = {"correction": correction, "keepDims": True}
        for op, function in {"variance": torch.var, "std": torch.std}.items():
            yield case(
                op,
                f"axes 0 and 2, correction {correction}",
                lambda x: function(x, (0, 2), correction=correction, keepdim=True),
                [drawn(*shape)],
                ["$0", [0, 2], options],
                smooth=True,
            )
            constant = given([[0.5, 0.5, 0.5], [1.0, 2.0, 4.0]])
            yield case(
                op,
                f"constant rows, correction {correction}",
                lambda x: function(x, 1, correction=correction),
                [constant],
                ["$0", 1, {"correction": correction}],
            )
    yield case(
        "logSumExp",
        "axes 0 and 2",
        lambda x: torch.logsumexp(x, (0, 2)),
        [drawn(*shape)],
        ["$0", [0, 2]],
        smooth=True,
    )
    extreme = given([[1000.0, 1000.0], [-1e5, 3.0], [INF, 1.0], [-INF, 0.5], [NAN, 1.0]])
    yield case("logSumExp", "extreme", lambda x: torch.logsumexp(x, 1), [extreme], ["$0", 1])
    # The gradient at a row of -Infinity is NaN in PyTorch, and 0 in forebay.
    lowest = given([[-INF, -INF]])
    yield case(
        "logSumExp",
        "-Infinity",
        lambda x: torch.logsumexp(x, 1),
        [lowest],
        ["$0", 1],
        gradients=False,
    )
    for p in [0.5, 1.0, 1.5, 2.0, 3.0]:
        function = lambda x: torch.linalg.vector_norm(x, p, dim=1)
        args = ["$0", {"p": p, "axes": 1}]
        yield case("norm", f"p {p}", function, [drawn(2, 3, 2)], args, smooth=p > 1)
        zeros = given([[0.0, 0.0, 0.0], [2.0, -2.0, 0.0]])
        yield case("norm", f"p {p}, zeros", function, [zeros], args)


def cases():
    yield from activations()
    yield from reductions()
