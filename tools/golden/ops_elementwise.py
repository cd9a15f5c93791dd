"""The cases of element-wise ops. Implementations differ at special points: zeros, ties, overflow and NaN."""

import torch

from draws import drawn, given, indices
from op_case import case

INF, NAN = float("inf"), float("nan")


def softplus(x):
    """Returns log(1 + e^x). F.softplus (1.13 and 2.15) is not used, because above 20 it returns x, an error of 2e-9."""
    return torch.logaddexp(x, torch.zeros((), dtype=x.dtype))


# Each entry is name: (the function of PyTorch, the range of the operand, smooth, special points). See `case` for
# smooth.
UNARY = {
    "neg": (torch.neg, {}, False, [0.0, -0.0, INF, -INF, NAN]),
    "exp": (torch.exp, {}, True, [0.0, -0.0, 709.7, 710.0, -744.0, -746.0, 1e-17, INF, -INF, NAN]),
    "log": (torch.log, {"low": 0.2, "high": 3.1}, True, [0.0, 1.0, -1.3, 5e-310, 1e300, INF, NAN]),
    "sqrt": (
        torch.sqrt,
        {"low": 0.2, "high": 3.1},
        True,
        [0.0, 1.0, -1.3, 3e-309, 1e300, INF, NAN],
    ),
    "square": (torch.square, {}, True, [0.0, -0.0, 1e200, -1e-200, INF, -INF, NAN]),
    "abs": (torch.abs, {"gap": 0.1}, False, [0.0, -0.0, 1e-320, INF, -INF]),
    "cos": (torch.cos, {}, True, [0.0, -0.0, 3.141592653589793, 1e6, -123456.7, INF, NAN]),
    "sin": (torch.sin, {}, True, [0.0, -0.0, 3.141592653589793, 1e6, -123456.7, INF, NAN]),
    "sign": (torch.sign, {"gap": 0.1}, False, [0.0, -0.0, 1e-320, INF, -INF]),
    "sigmoid": (torch.sigmoid, {}, True, [0.0, -0.0, 36.9, -37.1, 1000.0, -1000.0, INF, -INF, NAN]),
    "tanh": (torch.tanh, {}, True, [0.0, -0.0, 1e-9, 19.1, -22.0, 1000.0, -1000.0, INF, -INF, NAN]),
    "relu": (torch.relu, {"gap": 0.1}, False, [0.0, -0.0, 1e-320, -1e-320, INF, -INF]),
    "softplus": (softplus, {}, True, [0.0, -0.0, 20.5, -37.3, 50.0, -745.0, 1000.0, -1000.0]),
}

# Each entry is name: (the function of PyTorch, the range of the left operand, the range of the right operand, smooth).
BINARY = {
    "add": (torch.add, {}, {}, False),
    "sub": (torch.sub, {}, {}, False),
    "mul": (torch.mul, {}, {}, True),
    "div": (torch.div, {}, {"gap": 0.3}, True),
    "pow": (torch.pow, {"low": 0.2, "high": 2.3}, {}, True),
    "maximum": (torch.maximum, {}, {}, False),
    "minimum": (torch.minimum, {}, {}, False),
}

SHAPES = {"[2, 3]": [2, 3], "[3, 2, 5]": [3, 2, 5], "a scalar": [], "zero size": [0, 3]}
PAIRS = {
    "[2, 3]": ([2, 3], [2, 3]),
    "[2, 1, 5] with [3, 1]": ([2, 1, 5], [3, 1]),
    "a scalar with [2, 3]": ([], [2, 3]),
    "[2, 3] with [1, 1]": ([2, 3], [1, 1]),
    "[3] with [2, 2, 3]": ([3], [2, 2, 3]),
    "[0, 1] with [1, 3]": ([0, 1], [1, 3]),
}


def unary():
    for op, (function, domain, smooth, points) in UNARY.items():
        for title, shape in SHAPES.items():
            yield case(op, title, function, [drawn(*shape, **domain)], smooth=smooth)
        yield case(op, "special points", function, [given(points)])
    # At NaN, PyTorch (1.13 and 2.15) and forebay differ. sign is 0 in PyTorch, but NaN in NumPy and forebay, so it has
    # no case for NaN. The gradient of abs is 0 in PyTorch, but NaN in forebay. The gradient of relu is 1 in PyTorch,
    # but 0 in forebay, because NaN is not greater than 0. So the cases of abs and relu record only values.
    yield case("abs", "NaN", torch.abs, [given([NAN, -1.3])], gradients=False)
    yield case("relu", "NaN", torch.relu, [given([NAN, -1.3])], gradients=False)


def binary():
    for op, (function, left, right, smooth) in BINARY.items():
        for title, (a, b) in PAIRS.items():
            operands = [drawn(*a, **left), drawn(*b, **right)]
            yield case(op, title, function, operands, smooth=smooth)
        one = drawn(2, 3, low=0.4, high=2.1)
        yield case(
            op, "a node with itself", lambda x: function(x, x), [one], ["$0", "$0"], smooth=smooth
        )
        number = torch.tensor(1.7, dtype=torch.float64)
        yield case(
            op, "with a number", lambda x: function(x, number), [one], ["$0", 1.7], smooth=smooth
        )
        yield case(
            op, "a number with it", lambda x: function(number, x), [one], [1.7, "$0"], smooth=smooth
        )


def special():
    a, b = (
        given([1.3, -1.3, 0.0, 0.0, 2.1, INF, 1e-200, 1e200]),
        given([0.0, 0.0, -0.7, 0.0, INF, 2.3, 1e-200, 1e-200]),
    )
    yield case("div", "by 0 and by infinity", torch.div, [a, b])
    yield case("add", "infinities", torch.add, [given([INF, INF, NAN]), given([-INF, 1.3, 0.0])])
    yield case("mul", "infinities", torch.mul, [given([INF, INF, NAN]), given([0.0, -1.3, 0.0])])
    bases = [0.0, 0.0, 0.0, 0.0, -1.3, -1.3, 2.1, 2.1, 1e-200, INF, 1.0]
    exponents = [0.0, 1.0, 2.3, -0.7, 2.0, 3.0, 0.0, 1.0, 2.0, 0.5, 1e9]
    yield case(
        "pow", "base or exponent 0 or 1, base negative", torch.pow, [given(bases), given(exponents)]
    )
    ties = given([1.3, -0.7, 0.0, 2.1, INF]), given([1.3, 0.9, -0.0, -2.1, INF])
    yield case("maximum", "ties share the gradient", torch.maximum, [*ties])
    yield case("minimum", "ties share the gradient", torch.minimum, [*ties])
    # At NaN, PyTorch (1.13 and 2.15) sends the whole gradient to both operands, and forebay sends none. So
    # these cases record only values.
    nans = given([NAN, 1.3, NAN]), given([0.7, NAN, NAN])
    yield case("maximum", "NaN", torch.maximum, [*nans], gradients=False)
    yield case("minimum", "NaN", torch.minimum, [*nans], gradients=False)


def comparison():
    functions = {"greater": torch.gt, "equal": torch.eq}
    for op, function in functions.items():
        compare = lambda a, b: function(a, b)
        yield case(op, "[3, 2] with [2]", compare, [drawn(3, 2), drawn(2)])
        points = given([1.3, NAN, INF, -0.0, 0.0]), given([1.3, NAN, INF, 0.0, 1e-320])
        yield case(op, "ties, NaN, infinities", compare, [*points])
        yield case(op, "integers", compare, [indices([[3, -1, 2]]), indices([[3], [2]])])
        yield case(op, "zero size", compare, [drawn(0, 3), drawn(3)])


def choice():
    choose = lambda c, a, b: torch.where(c != 0, a, b)
    condition = indices([[1, 0, -2], [0, 1, 0]])
    yield case("where", "[2, 3]", choose, [condition, drawn(2, 3), drawn(2, 3)])
    yield case(
        "where", "all three broadcast", choose, [indices([[1], [0], [7]]), drawn(2, 1, 5), drawn()]
    )
    yield case(
        "where", "NaN is true", choose, [given([NAN, 0.0, -0.0, 1e-320]), drawn(4), drawn(4)]
    )
    yield case(
        "where",
        "NaN on the side not taken",
        choose,
        [indices([1, 0]), given([1.3, NAN]), given([NAN, -0.7])],
    )
    yield case("where", "zero size", choose, [indices([1]), drawn(0, 1), drawn(1, 3)])
    both = lambda c, a: torch.where(c != 0, a, a)
    yield case(
        "where", "one node on both sides", both, [indices([1, 0, 1]), drawn(3)], ["$0", "$1", "$1"]
    )


def conversion():
    there = {"op": "cast", "args": ["$0", "float32"]}
    rounded = lambda x: x.float().double()
    yield case("cast", "to float32 and back", rounded, [drawn(3, 2, 2)], [there, "float64"])
    points = given([1e39, -1e-50, 1e-40, 16777217.0, INF, NAN])
    yield case("cast", "float32's edges", rounded, [points], [there, "float64"])
    truncated = given([2.9, -2.9, 0.5, -0.5, -0.0, 2147483647.0, -2147483648.0])
    yield case("cast", "to int32", lambda x: x.to(torch.int32), [truncated], ["$0", "int32"])
    yield case(
        "cast",
        "from int32",
        lambda x: x.double(),
        [indices([[7, -3], [0, 2147483647]])],
        ["$0", "float64"],
    )
    stopped = {"op": "stopGradient", "args": ["$0"]}
    yield case(
        "mul", "by its own stopped self", lambda x: x * x.detach(), [drawn(2, 3)], ["$0", stopped]
    )


def cases():
    for family in [unary, binary, special, comparison, choice, conversion]:
        yield from family()
