"""Golden cases of ops that rearrange, repeat and interpolate elements."""

import torch
import torch.nn.functional as F

from draws import drawn
from op_case import case


def pad(title, shape, padding, mode="constant", value=0):
    """Returns a case of pad. PyTorch pads only the last axes, and only batches with 'reflect' and 'replicate'."""
    flat = [n for pair in reversed(padding) for n in pair]
    options = {"mode": mode} if value == 0 else {"mode": mode, "value": value}
    torch_mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}[mode]

    def function(x):
        if mode == "constant":
            return F.pad(x, flat, value=value)
        return F.pad(x[None, None], flat, mode=torch_mode)[0, 0]

    return case("pad", title, function, [drawn(*shape)], ["$0", padding, options])


def pads():
    yield pad("constant", [2, 3], [[1, 0], [2, 3]])
    yield pad("a value", [2, 3, 2], [[0, 1], [0, 0], [2, 0]], value=-1.5)
    yield pad("an empty tensor", [0, 2], [[1, 2], [0, 1]], value=2)
    for mode in ["reflect", "edge"]:
        yield pad(f"{mode}, a vector", [4], [[3, 2]], mode)
        yield pad(f"{mode}, a matrix", [3, 4], [[2, 1], [0, 3]], mode)
        yield pad(f"{mode}, images", [2, 3, 2], [[1, 1], [2, 2], [1, 0]], mode)
    yield pad("edge, more than there are elements", [1, 2], [[3, 2], [0, 4]], "edge")


def upsample(title, shape, scale, mode):
    options = {"scale": scale, "mode": mode}
    factor = tuple(scale) if isinstance(scale, list) else scale
    more = {"align_corners": False} if mode == "bilinear" else {}
    function = lambda x: F.interpolate(x, scale_factor=factor, mode=mode, **more)
    return case("upsample2d", title, function, [drawn(*shape)], ["$0", options])


def upsampled():
    for mode in ["nearest", "bilinear"]:
        yield upsample(f"{mode}, 2", [2, 1, 3, 2], 2, mode)
        yield upsample(f"{mode}, two scales", [1, 2, 2, 4], [3, 1], mode)
        yield upsample(f"{mode}, 4 of one element", [1, 1, 1, 2], 4, mode)
        yield upsample(f"{mode}, an empty batch", [0, 1, 2, 3], 2, mode)


def rearranged():
    x = drawn(2, 3, 4)
    rolls = [(1, 0), (-2, 1), (7, -1), (-9, 2), ([1, 2], [0, 2]), ([1, -1], [1, 1])]
    for shift, axis in rolls:
        yield case("roll", f"{shift} along {axis}", lambda x, s=shift, a=axis: torch.roll(x, s, a), [x], ["$0", shift, axis])
    yield case("roll", "without an axis", lambda x: torch.roll(x, 5), [x], ["$0", 5])
    for repeats in [[2], [2, 1, 3], [2, 1, 1, 3], [0, 1, 1]]:
        yield case("tile", f"{repeats}", lambda x, r=repeats: torch.tile(x, r), [x], ["$0", repeats])
    yield case("tile", "axes of length 1", lambda x: torch.tile(x, (3, 2)), [drawn(1, 3, 1)], ["$0", [3, 2]])
    yield case("tile", "a scalar", lambda x: torch.tile(x, (3,)), [drawn()], ["$0", 3])
    for name, function in [("tril", torch.tril), ("triu", torch.triu)]:
        for k in [0, 1, -1, 5, -5]:
            yield case(name, f"{k}", lambda x, k=k, f=function: f(x, k), [x], ["$0", k])
    yield case("tril", "an empty batch", torch.tril, [drawn(0, 2, 2)], ["$0"])
    yield case("expandDims", "two axes", lambda x: x[None, ..., None], [x], ["$0", [0, -1]])
    yield case("squeeze", "all axes", torch.squeeze, [drawn(1, 3, 1, 2)], ["$0"])
    yield case("squeeze", "one axis", lambda x: x.squeeze(2), [drawn(1, 3, 1, 2)], ["$0", 2])


def cases():
    yield from pads()
    yield from upsampled()
    yield from rearranged()
