"""Golden cases of ops of neural networks: attention."""

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from draws import drawn, given
from op_case import case

INF = float("inf")


def attention(title, q, k, v, *, mask=None, causal=False, scale=None, together=None):
    """
    Returns a case of attention.

    mask       the values of a mask, or a function that draws one
    together   the values of the mask for PyTorch, where it is not the same: PyTorch refuses a mask and is_causal together
    """
    options = {"causal": causal} if scale is None else {"causal": causal, "scale": scale}
    operands = [drawn(*q), drawn(*k), drawn(*v)]
    if mask is not None:
        options["mask"] = "$3"
        is_bool = not callable(mask)
        operands.append(given(mask, torch.bool) if is_bool else mask)

    def function(q, k, v, mask=None):
        if together is not None:
            mask, is_causal = torch.tensor(together), False
        else:
            is_causal = causal
        # The other implementations have no second derivative.
        with sdpa_kernel(SDPBackend.MATH):
            return F.scaled_dot_product_attention(q, k, v, mask, is_causal=is_causal, scale=scale)

    args = ["$0", "$1", "$2", options]
    return case("attention", title, function, operands, args, smooth=True)


def cases():
    shapes = ([2, 3, 2], [2, 4, 2], [2, 4, 3])
    yield attention("plain", *shapes)
    yield attention("batches of heads, a scale", [2, 2, 2, 3], [2, 2, 3, 3], [2, 2, 3, 2], scale=0.7)
    yield attention("causal", [2, 4, 2], [2, 4, 2], [2, 4, 2], causal=True)
    yield attention("causal, fewer keys", [4, 2], [2, 2], [2, 3], causal=True)
    yield attention("causal, more keys", [2, 2], [4, 2], [4, 3], causal=True)
    rows = [[True, False, False, True], [False, True, True, True], [True] * 4]
    yield attention("a bool mask", *shapes, mask=rows)
    yield attention("a query without keys", *shapes, mask=[rows[0], [False] * 4, rows[2]])
    yield attention("a mask for each batch", [2, 1, 3, 2], [2, 1, 4, 2], [2, 1, 4, 3], mask=[[[rows[0]]], [[rows[1]]]])
    below = [[a and j <= i for j, a in enumerate(row)] for i, row in enumerate(rows)]
    yield attention("a bool mask, causal", *shapes, mask=rows, causal=True, together=below)
    yield attention("a mask of numbers", *shapes, mask=drawn(2, 3, 4))
    yield attention("a mask of numbers that broadcasts", *shapes, mask=drawn(3, 1))
    numbers = given([[0, -INF, -INF, 0.5], [-INF] * 4, [0, 1, 2, 3]])
    yield attention("a mask of numbers with -Infinity", *shapes, mask=numbers)
