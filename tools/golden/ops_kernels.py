"""Golden cases of rounding, special and trigonometric functions, of comparisons and of logical operations."""

import torch

from draws import drawn, given, indices
from op_case import case

NAN, INF = float("nan"), float("inf")


# Each entry is name: (the range of the operand, smooth, special points). See `case` for smooth.
UNARY = {
    "erf": ({}, True, [0.0, -0.0, 1e-310, 0.999, 1.0, 5.9, 6.1, INF, -INF, NAN]),
    "log1p": ({"low": -0.8}, True, [0.0, -0.0, 1e-20, -1.0, -2.0, 1e300, INF, NAN]),
    "expm1": ({}, True, [0.0, -0.0, 1e-20, -40.0, -800.0, 709.5, 800.0, INF, -INF, NAN]),
    "rsqrt": ({"low": 0.2}, True, [0.0, -0.0, -1.3, 1e-300, 1e300, INF, NAN]),
    "floor": ({}, False, [0.0, -0.5, 2.5, -3.0, 4503599627370495.5, 1e300, INF, -INF, NAN]),
    "ceil": ({}, False, [0.0, -0.5, 2.5, -3.0, 4503599627370495.5, 1e300, INF, -INF, NAN]),
    "round": ({}, False, [0.5, 1.5, -0.5, -2.5, 0.49999999999999994, 1e300, INF, -INF, NAN]),
    "trunc": ({}, False, [0.0, -0.5, 2.9, -3.0, 4503599627370495.5, 1e300, INF, -INF, NAN]),
    "tan": ({"low": -1.4, "high": 1.4}, True, [0.0, -0.0, 3.0, 1e5, -1e7, 1e22, INF, NAN]),
    "asin": ({"low": -0.9, "high": 0.9}, True, [0.0, 0.5, 1.0, -1.0, 1.1, NAN]),
    "acos": ({"low": -0.9, "high": 0.9}, True, [0.0, 0.5, 1.0, -1.0, 1.1, NAN]),
    "atan": ({}, True, [0.0, -0.0, 0.4, 2.5, 1e300, INF, -INF, NAN]),
}


def unary():
    for op, (domain, smooth, points) in UNARY.items():
        function = getattr(torch, op)
        for title, shape in {"[2, 3]": [2, 3], "zero size": [0, 3]}.items():
            yield case(op, title, function, [drawn(*shape, **domain)], smooth=smooth)
        yield case(op, "special points", function, [given(points)])


def binary():
    wide, tall = drawn(2, 1, 3), drawn(2, 1, gap=0.3)
    yield case("atan2", "[2, 1, 3] with [2, 1]", torch.atan2, [wide, tall], smooth=True)
    y = given([0.0, -0.0, 0.0, -0.0, 1.3, 0.0, INF, INF, NAN])
    x = given([0.0, 0.0, -0.0, -0.0, 0.0, -0.7, INF, -INF, 1.0])
    yield case("atan2", "zeros, infinities, NaN", torch.atan2, [y, x])
    yield case("mod", "[2, 1, 3] with [2, 1]", torch.remainder, [wide, tall])
    a = given([5.1, -5.1, 5.1, -5.1, 5.1, 0.0, INF, 5.1, -5.1, NAN, -1e-20, 6.0, 0.9, 1e17, -5.1])
    b = given([3.0, 3.0, -3.0, -3.0, INF, 3.0, 3.0, 0.0, 0.0, 1.0, 1.0, 3.0, 0.1, 0.7, INF])
    yield case("mod", "signs, zeros, infinities, NaN", torch.remainder, [a, b])
    integers = [indices([[7, -7, 6, -6, 2147483647]]), indices([[3], [-3]])]
    yield case("mod", "integers", torch.remainder, integers)


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
    for family in [unary, binary, comparison, logic]:
        yield from family()
