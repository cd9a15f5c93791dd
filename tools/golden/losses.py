"""Losses and their gradients, computed by the functions of PyTorch. Each loss is the mean over examples."""

import torch
import torch.nn.functional as F

from draws import Draws, drawn, given, indices

INF = float("inf")
EXTREME = [[1000.0, -1000.0, 3.7], [-745.3, -745.3, -746.1], [1e5, 1e5, 1.3], [0.0, 0.0, 0.0]]


def probabilities(*shape):
    return lambda draws: torch.softmax(draws.tensor(*shape), -1)


def cross_entropy(logits, target):
    """Returns the cross-entropy for classes along the last axis. F.cross_entropy expects them along axis 1."""
    if target.dtype == torch.int32:
        return F.cross_entropy(logits.movedim(-1, 1), target.long())
    return F.cross_entropy(logits.movedim(-1, 1), target.movedim(-1, 1))


def case(loss, title, function, output, target):
    draws = Draws(f"{loss}: {title}")
    operands = [output(draws), target(draws)]
    leaves = [x.requires_grad_() for x in operands if x.dtype == torch.float64]
    value = function(*operands)
    gradients = torch.autograd.grad(value, leaves)
    return {
        "loss": loss,
        "title": title,
        "operands": operands,
        "value": value,
        "gradients": gradients,
    }


def cases():
    yield case("mse", "[5, 3]", F.mse_loss, drawn(5, 3), drawn(5, 3))
    yield case("mse", "[2, 3, 5]", F.mse_loss, drawn(2, 3, 5), drawn(2, 3, 5))

    name = "softmaxCrossEntropy"
    yield case(name, "probabilities", cross_entropy, drawn(5, 3), probabilities(5, 3))
    yield case(
        name, "probabilities, [2, 5, 3]", cross_entropy, drawn(2, 5, 3), probabilities(2, 5, 3)
    )
    yield case(
        name, "probabilities, extreme logits", cross_entropy, given(EXTREME), probabilities(4, 3)
    )
    yield case(name, "class indices", cross_entropy, drawn(5, 3), indices([2, 0, 1, 1, 2]))
    yield case(
        name,
        "class indices, [2, 3, 4]",
        cross_entropy,
        drawn(2, 3, 4),
        indices([[3, 0, 1], [1, 2, 2]]),
    )
    yield case(
        name, "class indices, extreme logits", cross_entropy, given(EXTREME), indices([1, 2, 0, 1])
    )

    # There is no case of masked classes with probabilities as the target. For these, PyTorch (1.13 and 2.15)
    # gives NaN even if the probability is 0, because it computes 0 * -infinity, but the limit is 0.
    masked = given([[-INF, 1.3, 0.4], [0.7, -INF, -INF]])
    yield case(name, "class indices, classes ruled out", cross_entropy, masked, indices([2, 0]))

    name, function = "binaryCrossEntropyWithLogits", F.binary_cross_entropy_with_logits
    share = lambda *shape: drawn(*shape, low=0.0, high=1.0)
    yield case(name, "[5, 3]", function, drawn(5, 3), share(5, 3))
    yield case(name, "[2, 3, 5]", function, drawn(2, 3, 5), share(2, 3, 5))
    yield case(name, "extreme logits", function, given(EXTREME), share(4, 3))
    sure = given([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    yield case(name, "extreme logits, targets 0 and 1", function, given(EXTREME), sure)
