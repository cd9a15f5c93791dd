"""Golden cases of convolutions of images and sequences."""

import torch.nn.functional as F

from draws import drawn
from op_case import case


def convolution(title, x, weight, *, padding=None, **options):
    """
    Returns a case of conv1d or conv2d.

    padding   the numbers of zeros, in the form of F.pad: [left, right, top, bottom]. The padding of forebay is the
              same, unless `options` has another form of it, such as "same".
    """
    rank = len(x) - 2
    torch_options = {k: options[k] for k in ("stride", "dilation", "groups") if k in options}
    pads = padding or [0, 0] * rank
    pairs = [pads[2 * i : 2 * i + 2] for i in reversed(range(rank))]
    name = options.pop("form", None)
    own = {"padding": name if name else (pairs if rank == 2 else pairs[0]), **options}
    function = F.conv2d if rank == 2 else F.conv1d
    return case(
        f"conv{rank}d",
        title,
        lambda x, weight: function(F.pad(x, pads), weight, **torch_options),
        [drawn(*x), drawn(*weight)],
        ["$0", "$1", own],
        smooth=True,
    )


def cases():
    yield convolution("plain", [2, 3, 5, 6], [4, 3, 3, 2])
    yield convolution("1 x 1", [2, 3, 4, 3], [5, 3, 1, 1])
    yield convolution("stride 2", [1, 2, 7, 6], [3, 2, 3, 3], stride=2, padding=[1, 1, 1, 1])
    yield convolution("two strides", [1, 2, 8, 9], [3, 2, 2, 3], stride=[3, 2], padding=[0, 2, 1, 0])
    yield convolution("dilation", [2, 2, 7, 8], [2, 2, 3, 3], dilation=[2, 3], padding=[1, 1, 1, 1])
    yield convolution(
        "dilation and stride", [1, 2, 9, 8], [3, 2, 3, 2], dilation=2, stride=[2, 3], padding=[1, 2, 2, 0]
    )
    yield convolution("groups", [2, 4, 5, 4], [6, 2, 3, 3], groups=2, padding=[1, 1, 1, 1])
    yield convolution("depthwise", [2, 5, 5, 6], [5, 1, 3, 3], groups=5, padding=[1, 1, 1, 1])
    # With more channels than a vector has lanes: a large kernel, and a stride.
    yield convolution("depthwise, 4 x 5", [1, 17, 3, 4], [17, 1, 4, 5], groups=17, padding=[2, 1, 2, 2])
    yield convolution("depthwise, stride 2", [1, 17, 4, 5], [17, 1, 3, 3], groups=17, stride=2, padding=[1, 1, 1, 1])
    yield convolution("depthwise, two filters each", [1, 3, 5, 4], [6, 1, 2, 3], groups=3, stride=2)
    yield convolution("asymmetric padding", [2, 2, 4, 5], [3, 2, 3, 2], padding=[2, 0, 1, 3])
    yield convolution("more padding than filter", [1, 2, 3, 2], [2, 2, 2, 2], padding=[3, 2, 2, 3])
    yield convolution("same", [2, 3, 5, 6], [2, 3, 3, 4], padding=[1, 2, 1, 1], form="same")
    # ceil(7 / 3) = 3 rows need 2 * 3 + 2 - 7 = 1 zero, and ceil(6 / 2) = 3 columns need 2 * 2 + 3 - 6 = 1, both at the end.
    yield convolution(
        "same, with a stride", [1, 2, 7, 6], [3, 2, 2, 3], stride=[3, 2], padding=[0, 1, 0, 1], form="same"
    )
    # The filter is shorter than the stride, so no zeros are added.
    yield convolution("same, without zeros", [1, 2, 6, 4], [2, 2, 1, 2], stride=2, form="same")
    yield convolution("valid", [1, 2, 4, 4], [2, 2, 3, 3], form="valid")
    yield convolution("as large as the image", [3, 4, 3, 5], [2, 4, 3, 5])
    # These have more channels than a vector has lanes, and not a multiple of them.
    yield convolution("many channels", [1, 17, 3, 3], [18, 17, 2, 2], padding=[1, 0, 0, 1])
    yield convolution("sequence", [2, 3, 9], [4, 3, 3])
    yield convolution("sequence, all options", [2, 4, 11], [6, 2, 3], stride=2, dilation=2, groups=2, padding=[2, 1])
    yield convolution("sequence, same", [2, 3, 8], [2, 3, 4], padding=[1, 2], form="same")
