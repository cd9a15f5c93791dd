"""The cases of ops along axes: products, reductions, softmax, views, concatenations and slices."""

import torch
import torch.nn.functional as F

from draws import drawn, given, indices
from op_case import case

INF, NAN = float("inf"), float("nan")
KEEP = {"keepDims": True}


def products():
    shapes = {
        "2-D": ([3, 5], [5, 2]),
        "one row": ([1, 5], [5, 2]),
        "batched": ([4, 3, 5], [4, 5, 2]),
        "one matrix for a batch": ([4, 3, 5], [5, 2]),
        "a batch for one matrix": ([3, 5], [4, 5, 2]),
        "batches that broadcast": ([2, 1, 3, 5], [4, 5, 2]),
        "K = 0": ([3, 0], [0, 2]),
        "no rows": ([0, 5], [5, 2]),
        "an empty batch": ([0, 3, 5], [5, 2]),
    }
    for title, (a, b) in shapes.items():
        for flags in ["", "A", "B", "AB"]:
            yield product(title, a, b, "A" in flags, "B" in flags)
    x = drawn(3, 5)
    yield case(
        "matmul",
        "x times its own transpose",
        lambda a: a @ a.mT,
        [x],
        ["$0", "$0", {"transposeB": True}],
        smooth=True,
    )
    y = drawn(2, 3, 5)
    yield case(
        "matmul",
        "x's transpose times x, batched",
        lambda a: a.mT @ a,
        [y],
        ["$0", "$0", {"transposeA": True}],
        smooth=True,
    )


def product(title, a, b, transpose_a, transpose_b):
    left = [*a[:-2], a[-1], a[-2]] if transpose_a else a
    right = [*b[:-2], b[-1], b[-2]] if transpose_b else b
    function = lambda x, y: torch.matmul(x.mT if transpose_a else x, y.mT if transpose_b else y)
    flags = {"transposeA": transpose_a, "transposeB": transpose_b}
    names = [name for name, on in flags.items() if on]
    # The second derivative of a product consists of two more products, so a few cases are enough.
    smooth = title in ["2-D", "one matrix for a batch", "batches that broadcast"]
    full = ", ".join([title, *names])
    return case(
        "matmul", full, function, [drawn(*left), drawn(*right)], ["$0", "$1", flags], smooth=smooth
    )


def reductions():
    functions = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax}
    for op, reduce in functions.items():
        everything = (lambda x: torch.amax(x)) if op == "max" else reduce
        yield case(op, "everything", everything, [drawn(3, 2, 5)], ["$0"])
        yield case(op, "a scalar", everything, [drawn()], ["$0"])
        for axes in [0, 1, -1, [0, 2], [-1, 1]]:
            for keep in [False, True]:
                function = lambda x: reduce(x, dim=axes, keepdim=keep)
                title = f"axes {axes}{', kept' if keep else ''}"
                yield case(
                    op, title, function, [drawn(3, 2, 5)], ["$0", axes, KEEP if keep else {}]
                )
        yield case(op, "zero size elsewhere", lambda x: reduce(x, dim=1), [drawn(0, 3)], ["$0", 1])
        yield case(
            op,
            "infinities",
            lambda x: reduce(x, dim=1),
            [given([[INF, 1.3], [-INF, -INF], [INF, INF]])],
            ["$0", 1],
        )
    yield case("sum", "over no elements", lambda x: x.sum(0), [drawn(0, 3)], ["$0", 0])
    yield case("mean", "over no elements", lambda x: x.mean(0), [drawn(0, 3)], ["$0", 0])
    yield case("sum", "NaN", torch.sum, [given([1.3, NAN])], ["$0"])
    yield case(
        "max",
        "ties share the gradient",
        lambda x: torch.amax(x, 1),
        [given([[1.3, -2.0, 1.3], [0.0, -0.0, -1.0]])],
        ["$0", 1],
    )
    nan = given([[1.3, NAN], [0.7, -0.7]])
    yield case("max", "NaN", lambda x: torch.amax(x, 1), [nan], ["$0", 1])


def positions():
    to_int = lambda x: x.to(torch.int32)
    for axis in [0, 1, -1]:
        yield case(
            "argmax",
            f"axis {axis}",
            lambda x: to_int(x.argmax(axis)),
            [drawn(3, 2, 5)],
            ["$0", axis],
        )
    yield case(
        "argmax",
        "kept",
        lambda x: to_int(x.argmax(1, keepdim=True)),
        [drawn(3, 5)],
        ["$0", 1, KEEP],
    )
    yield case("argmax", "everything", lambda x: to_int(x.argmax()), [drawn(3, 5)], ["$0"])
    ties = given([[0.7, 1.3, 1.3], [-INF, -INF, -INF], [NAN, 2.0, NAN]])
    yield case(
        "argmax", "the first of ties, and of NaNs", lambda x: to_int(x.argmax(1)), [ties], ["$0", 1]
    )
    rows = lambda x: F.one_hot(x.long(), 5).double()
    args = ["$0", 5, {"dtype": "float64"}]
    yield case("oneHot", "a list", rows, [indices([3, 0, 4, 3])], args)
    yield case("oneHot", "[2, 1, 3]", rows, [indices([[[3, 0, 4]], [[1, 1, 2]]])], args)
    yield case("oneHot", "a scalar", rows, [indices(2)], args)


def along_axis():
    for op, function in {"softmax": torch.softmax, "logSoftmax": torch.log_softmax}.items():
        for axis in [0, 1, -1]:
            along = lambda x: function(x, axis)
            yield case(op, f"axis {axis}", along, [drawn(3, 2, 5)], ["$0", axis], smooth=True)
        last = lambda x: function(x, -1)
        large = given([[1000.0, 1001.3, -1000.0], [-1e5, -1e5, 0.7], [1e300, -1e300, 0.0]])
        yield case(op, "large logits", last, [large], ["$0"])
        yield case(
            op, "equal logits", last, [given([[700.0, 700.0], [-0.3, -0.3]])], ["$0"], smooth=True
        )
        yield case(op, "a logit of -infinity", last, [given([[-INF, 1.3, -0.7]])], ["$0"])
        yield case(
            op,
            "nothing but -infinity, infinity, NaN",
            last,
            [given([[-INF, -INF], [INF, 1.3], [NAN, 0.0]])],
            ["$0"],
        )
        yield case(op, "one class", last, [drawn(3, 1)], ["$0"], smooth=True)
        yield case(op, "no classes", last, [drawn(2, 0)], ["$0"])
        yield case(op, "no rows", last, [drawn(0, 3)], ["$0"])


def views():
    yield case("transpose", "2-D", lambda x: x.T, [drawn(2, 3)], ["$0"])
    yield case(
        "transpose", "reverses 3 axes", lambda x: x.permute(2, 1, 0), [drawn(2, 3, 5)], ["$0"]
    )
    for axes in [[1, 2, 0], [0, -1, 1], [2, 0, 1]]:
        yield case(
            "transpose", f"axes {axes}", lambda x: x.permute(*axes), [drawn(2, 3, 5)], ["$0", axes]
        )
    yield case(
        "transpose", "zero size", lambda x: x.permute(2, 0, 1), [drawn(2, 0, 5)], ["$0", [2, 0, 1]]
    )
    for shape in [[3, 10], [5, -1], [-1], [2, 1, 3, 5]]:
        yield case(
            "reshape", f"to {shape}", lambda x: x.reshape(shape), [drawn(2, 3, 5)], ["$0", shape]
        )
    yield case(
        "reshape", "zero size", lambda x: x.reshape(3, 0, 2), [drawn(0, 4)], ["$0", [3, 0, 2]]
    )
    pairs = [
        ([3], [2, 3]),
        ([2, 1, 5], [2, 3, 5]),
        ([], [2, 1, 3]),
        ([3, 1], [2, 3, 5]),
        ([1, 3], [0, 3]),
    ]
    for source, shape in pairs:
        yield case(
            "broadcastTo",
            f"{source} to {shape}",
            lambda x: x.broadcast_to(shape),
            [drawn(*source)],
            ["$0", shape],
        )


def windows():
    three = ["$0", "$1", "$2"]
    cat = lambda axis: lambda *parts: torch.cat(parts, axis)
    yield case("concat", "rows", cat(0), [drawn(1, 3), drawn(2, 3), drawn(4, 3)], [three, 0])
    yield case("concat", "columns", cat(1), [drawn(4, 2), drawn(4, 1), drawn(4, 3)], [three, 1])
    yield case(
        "concat",
        "the middle of 3 axes",
        cat(-2),
        [drawn(2, 3, 5), drawn(2, 1, 5), drawn(2, 2, 5)],
        [three, -2],
    )
    yield case(
        "concat", "an empty part", cat(1), [drawn(2, 3), drawn(2, 0), drawn(2, 1)], [three, 1]
    )
    yield case(
        "concat",
        "one node twice",
        lambda a, b: torch.cat([a, b, a], 1),
        [drawn(3, 2), drawn(3, 1)],
        [["$0", "$1", "$0"], 1],
    )
    for axis in [0, 1, -1]:
        stack = lambda *parts: torch.stack(parts, axis)
        yield case(
            "stack", f"axis {axis}", stack, [drawn(2, 3), drawn(2, 3), drawn(2, 3)], [three, axis]
        )
    yield case(
        "stack",
        "one node twice",
        lambda a: torch.stack([a, a], 1),
        [drawn(3, 2)],
        [["$0", "$0"], 1],
    )
    yield case(
        "stack",
        "zero size",
        lambda *parts: torch.stack(parts),
        [drawn(0, 3)] * 2,
        [["$0", "$1"], 0],
    )
    cuts = [(0, 1, 3), (1, 1, 2), (-1, -3, -1), (2, 2, 5), (1, 1, 1)]
    for axis, start, end in cuts:
        index = lambda x: x.movedim(axis, 0)[start:end].movedim(0, axis)
        yield case(
            "slice",
            f"axis {axis}, {start} to {end}",
            index,
            [drawn(3, 2, 5)],
            ["$0", {"axis": axis, "start": start, "end": end}],
        )
    overlap = lambda x: torch.cat([x[0:3], x[1:5], x[0:3]])
    cut = lambda start, end: {
        "op": "slice",
        "args": ["$0", {"axis": 0, "start": start, "end": end}],
    }
    yield case(
        "concat",
        "slices that overlap",
        overlap,
        [drawn(5, 2)],
        [[cut(0, 3), cut(1, 5), cut(0, 3)], 0],
    )
    yield case("addN", "three", lambda a, b, c: a + b + c, [drawn(2, 3)] * 3, [three])
    yield case(
        "addN",
        "one node three times, another once",
        lambda a, b: a + b + a + a,
        [drawn(2, 3)] * 2,
        [["$0", "$1", "$0", "$0"]],
    )
    yield case("addN", "zero size", lambda a, b: a + b, [drawn(0, 3)] * 2, [["$0", "$1"]])


def cases():
    for family in [products, reductions, positions, along_axis, views, windows]:
        yield from family()
