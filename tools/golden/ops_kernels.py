"""Golden cases of comparisons and of logical operations."""

import torch

from draws import drawn, given, indices
from op_case import case

NAN, INF = float("nan"), float("inf")


def comparison():
    functions = {
        "less": torch.lt,
        "lessEqual": torch.le,
        "greaterEqual": torch.ge,
        "notEqual": torch.ne,
    }
    for op, function in functions.items():
        compare = lambda a, b: function(a, b)
        yield case(op, "[3, 2] with [2]", compare, [drawn(3, 2), drawn(2)])
        points = (
            given([1.3, NAN, NAN, 1.3, INF, -0.0, 0.0]),
            given([1.3, NAN, 1.3, NAN, INF, 0.0, 1e-320]),
        )
        yield case(op, "ties, NaN, infinities", compare, [*points])
        yield case(op, "integers", compare, [indices([[3, -1, 2]]), indices([[3], [2]])])
    points = [given([1.3, NAN, INF, -INF, -0.0, 1.7e308])]
    yield case("isNaN", "special points", torch.isnan, points)
    yield case("isFinite", "special points", torch.isfinite, points)


def logic():
    """The operands are bools: numbers that are compared with 0."""
    true = lambda operand: {"op": "notEqual", "args": [operand, 0.0]}
    functions = {"and": torch.logical_and, "or": torch.logical_or, "xor": torch.logical_xor}
    for op, function in functions.items():
        of = lambda a, b: function(a != 0, b != 0)
        operands = [given([[0.0, 1.0]]), given([[0.0], [1.0]])]
        yield case(op, "all pairs", of, operands, [true("$0"), true("$1")])
    yield case("not", "both", lambda x: x == 0, [given([0.0, 1.0])], [true("$0")])


def cases():
    for family in [comparison, logic]:
        yield from family()
