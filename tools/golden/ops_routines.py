"""Golden cases of the ops that are computed by routines: indexing, sorting, running sums and pooling."""

import torch
import torch.nn.functional as F

from draws import drawn, given, indices
from op_case import case

NAN, INF = float("nan"), float("inf")


def to_int(x):
    return x.to(torch.int32)


def take(x, at, axis):
    """numpy.take, whose indices may have any shape."""
    at = torch.where(at < 0, at + x.shape[axis], at).long()
    shape = x.shape[:axis] + at.shape + x.shape[axis + 1 :]
    return x.index_select(axis, at.reshape(-1)).reshape(shape)


def indexing():
    rows = indices([3, 0, -1, 0, 2])
    yield case("gather", "rows", lambda x, i: take(x, i, 0), [drawn(4, 3), rows])
    square = indices([[2, 0], [-3, 1]])
    yield case(
        "gather", "axis 1", lambda x, i: take(x, i, 1), [drawn(2, 3, 4), square], ["$0", "$1", 1]
    )
    yield case(
        "gather", "one", lambda x, i: take(x, i, 1), [drawn(2, 3), indices(1)], ["$0", "$1", -1]
    )
    yield case(
        "scatterAdd",
        "rows",
        lambda x, i, u: x.index_add(0, torch.where(i < 0, i + 4, i).long(), u),
        [drawn(4, 3), rows, drawn(5, 3)],
    )
    yield case(
        "scatterAdd",
        "axis 2",
        lambda x, i, u: x.index_add(2, i.long(), u),
        [drawn(2, 3, 4), indices([3, 1, 3]), drawn(2, 3, 3)],
        ["$0", "$1", "$2", -1],
    )
    along = indices([[0, 2, 2, 1], [1, 1, 0, 2]])
    yield case(
        "takeAlongAxis",
        "axis 0",
        lambda x, i: x.gather(0, i.long()),
        [drawn(3, 4), along],
        ["$0", "$1", 0],
    )
    yield case(
        "takeAlongAxis",
        "shorter indices",
        lambda x, i: x.gather(1, i.long()),
        [drawn(3, 3), along],
        ["$0", "$1", 1],
    )


def sorting():
    ties = given([[0.5, NAN, -1.0, 0.5], [INF, NAN, NAN, -INF]])
    for axis in [0, 1, -1]:
        for descending in [False, True]:
            options = {"descending": descending}
            title = f"axis {axis}{', descending' if descending else ''}"
            yield case(
                "sort",
                title,
                lambda x: x.sort(dim=axis, descending=descending, stable=True).values,
                [drawn(3, 2, 4)],
                ["$0", axis, options],
            )
            yield case(
                "argsort",
                title,
                lambda x: to_int(x.argsort(dim=axis, descending=descending, stable=True)),
                [drawn(3, 2, 4)],
                ["$0", axis, options],
            )
    stable = lambda x: to_int(x.argsort(dim=1, descending=True, stable=True))
    yield case("argsort", "ties and NaNs", stable, [ties], ["$0", 1, {"descending": True}])
    yield case("argmin", "axis 1", lambda x: to_int(x.argmin(1)), [drawn(3, 2, 5)], ["$0", 1])
    yield case("argmin", "everything", lambda x: to_int(x.argmin()), [drawn(3, 5)], ["$0"])
    low = given([[1.3, 0.7, 0.7], [INF, INF, INF], [NAN, -2.0, NAN]])
    yield case("argmin", "the first of ties, and of NaNs", lambda x: to_int(x.argmin(1)), [low], ["$0", 1])


def running():
    for axis in [0, 1, -1]:
        yield case(
            "cumsum", f"axis {axis}", lambda x: x.cumsum(axis), [drawn(3, 2, 4)], ["$0", axis]
        )
        yield case(
            "cumprod", f"axis {axis}", lambda x: x.cumprod(axis), [drawn(3, 2, 4)], ["$0", axis]
        )
    zeros = given([[2.0, 0.0, -3.0, 1.5], [0.0, 0.5, 0.0, 2.0]])
    yield case("cumprod", "zeros", lambda x: x.cumprod(1), [zeros], ["$0", 1])


def pooling():
    images = drawn(2, 3, 7, 8)
    for title, options, arguments in [
        ("2 x 2", {"size": 2}, {"kernel_size": 2}),
        (
            "3 x 2, padded",
            {"size": [3, 2], "stride": 2, "padding": 1},
            {"kernel_size": (3, 2), "stride": 2, "padding": 1},
        ),
        (
            "up to the end",
            {"size": 3, "stride": 2, "padding": [1, 0], "ceil": True},
            {"kernel_size": 3, "stride": 2, "padding": (1, 0), "ceil_mode": True},
        ),
    ]:
        yield case(
            "maxPool2d", title, lambda x: F.max_pool2d(x, **arguments), [images], ["$0", options]
        )
        yield case(
            "avgPool2d", title, lambda x: F.avg_pool2d(x, **arguments), [images], ["$0", options]
        )
        own = {**options, "countPadding": False}
        yield case(
            "avgPool2d",
            f"{title}, without padding",
            lambda x: F.avg_pool2d(x, **arguments, count_include_pad=False),
            [images],
            ["$0", own],
        )
    yield case(
        "maxPool2d",
        "dilated",
        lambda x: F.max_pool2d(x, 2, 3, 0, 2),
        [images],
        ["$0", {"size": 2, "stride": 3, "dilation": 2}],
    )
    ties = given([[[[1.0, 1.0, NAN], [1.0, -INF, 0.0], [-INF, -INF, -INF]]]])
    yield case(
        "maxPool2d", "ties and NaN", lambda x: F.max_pool2d(x, 2, 1), [ties], ["$0", {"size": 2, "stride": 1}]
    )
    steps = drawn(2, 3, 9)
    yield case(
        "maxPool1d",
        "padded",
        lambda x: F.max_pool1d(x, 3, 2, 1),
        [steps],
        ["$0", {"size": 3, "stride": 2, "padding": 1}],
    )
    yield case(
        "avgPool1d",
        "padded",
        lambda x: F.avg_pool1d(x, 3, 2, 1),
        [steps],
        ["$0", {"size": 3, "stride": 2, "padding": 1}],
    )


def cases():
    for family in [indexing, sorting, running, pooling]:
        yield from family()
