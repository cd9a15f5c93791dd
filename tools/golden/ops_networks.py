"""Golden cases of ops of neural networks: attention, transposed convolutions and einsum."""

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


def attentions():
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


def transposed(title, x, weight, *, padding=0, form=None, cut=None, **options):
    """
    Returns a case of convTranspose1d or convTranspose2d.

    form   the padding in forebay, if it is another than in PyTorch
    cut    the slices of PyTorch's result, whose padding is the same at both sides of an axis
    """
    rank = len(x) - 2
    function = F.conv_transpose2d if rank == 2 else F.conv_transpose1d
    names = {"outputPadding": "output_padding"}
    more = {names.get(k, k): tuple(v) if isinstance(v, list) else v for k, v in options.items()}

    def ours(x, weight):
        full = function(x, weight, padding=tuple(padding) if isinstance(padding, list) else padding, **more)
        return full if cut is None else full[(..., *(slice(*one) for one in cut))]

    own = {"padding": padding if form is None else form, **options}
    return case(f"convTranspose{rank}d", title, ours, [drawn(*x), drawn(*weight)], ["$0", "$1", own], smooth=True)


def transposes():
    yield transposed("plain", [2, 3, 3, 2], [3, 2, 2, 3])
    yield transposed("stride and padding", [1, 2, 3, 4], [2, 3, 3, 3], stride=2, padding=1, outputPadding=1)
    yield transposed("two strides", [1, 2, 2, 3], [2, 1, 2, 3], stride=[3, 2], padding=[0, 1], outputPadding=[2, 0])
    yield transposed("groups", [2, 4, 2, 3], [4, 3, 2, 2], groups=2, stride=2)
    yield transposed("depthwise", [1, 3, 3, 2], [3, 1, 3, 2], groups=3, padding=1)
    yield transposed("dilation", [1, 2, 3, 2], [2, 2, 3, 2], dilation=[2, 3], padding=[1, 2])
    yield transposed("more output padding than stride", [1, 2, 2, 3], [2, 2, 2, 2], dilation=3, outputPadding=[2, 1])
    yield transposed("a filter of one element", [1, 2, 2, 2], [2, 3, 1, 1], stride=2)
    sides = {"form": [[0, 1], [2, 0]], "cut": [(0, -1), (2, None)]}
    yield transposed("asymmetric padding", [1, 2, 2, 3], [2, 2, 3, 2], stride=2, **sides)
    # (3 - 1) 2 + 3 = 7 rows are one more than 3 2; (2 - 1) 2 + 4 = 6 columns are two more than 2 2.
    yield transposed("same", [1, 2, 3, 2], [2, 2, 3, 4], stride=2, form="same", cut=[(0, 6), (1, 5)])
    yield transposed("valid", [1, 2, 2, 2], [2, 1, 2, 2], form="valid")
    yield transposed("sequence", [2, 4, 3], [4, 2, 3], groups=2, stride=2, padding=1, outputPadding=1)
    yield transposed("sequence, same", [1, 2, 4], [2, 3, 4], stride=3, form="same", cut=[(0, 12)])


def einsums():
    uses = {
        "bij,bjk->bik": ([2, 2, 3], [2, 3, 2]),
        "ij,kj->ki": ([2, 3], [2, 3]),
        "ii->i": ([3, 3],),
        "ii": ([3, 3],),
        "ba,aB": ([2, 3], [3, 2]),
        "...ij,...jk->...ki": ([2, 1, 2, 2], [2, 2, 3]),
        "i...j->ij": ([2, 3, 2],),
        "ij,jk,kl,i->l": ([2, 3], [3, 2], [2, 2], [2]),
        "abcd,cdbe->ae": ([2, 2, 2, 1], [2, 1, 2, 3]),
        "bij,ij": ([2, 2, 3], [1, 3]),
    }
    for subscripts, shapes in uses.items():
        operands = [f"${i}" for i in range(len(shapes))]
        function = lambda *x, s=subscripts: torch.einsum(s, *x)
        yield case("einsum", subscripts, function, [drawn(*shape) for shape in shapes], [subscripts, *operands], smooth=True)


def cases():
    yield from attentions()
    yield from transposes()
    yield from einsums()
