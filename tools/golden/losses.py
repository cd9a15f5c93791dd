"""Losses and their gradients, computed by the functions of PyTorch."""

import warnings

import torch
import torch.nn.functional as F

from draws import Draws, drawn, given, indices

INF = float("inf")
EXTREME = [[1000.0, -1000.0, 3.7], [-745.3, -745.3, -746.1], [1e5, 1e5, 1.3], [0.0, 0.0, 0.0]]


def probabilities(*shape):
    return lambda draws: torch.softmax(draws.tensor(*shape), -1)


def cross_entropy(logits, target, **options):
    """Returns the cross-entropy for classes along the last axis. F.cross_entropy expects them along axis 1."""
    classes = 1 if logits.dim() > 1 else 0
    if target.dtype == torch.int32:
        return F.cross_entropy(logits.movedim(-1, classes), target.long(), **options)
    return F.cross_entropy(
        logits.movedim(-1, classes), target.movedim(-1, classes), **options
    )


def case(loss, title, function, output, target, options=None):
    """Returns the record of a case. If the loss is not reduced, its gradient is that for a random cotangent."""
    draws = Draws(f"{loss}: {title}")
    operands = [output(draws), target(draws)]
    leaves = [x.requires_grad_() for x in operands if x.dtype == torch.float64]
    value = function(*operands)
    record = {"loss": loss, "title": title, "operands": operands, "value": value}
    if options is not None:
        record["options"] = options
    cotangent = None
    if value.dim() > 0:
        cotangent = record["cotangent"] = draws.tensor(*value.shape)
    return record | {"gradients": torch.autograd.grad(value, leaves, cotangent)}


# The names of the options in PyTorch.
TORCH = {
    "weights": "weight",
    "positiveWeight": "pos_weight",
    "labelSmoothing": "label_smoothing",
    "ignoreIndex": "ignore_index",
    "axis": "dim",
    "epsilon": "eps",
}


def with_options(loss, title, function, output, target, options):
    """Returns the case of a loss with options. A list of numbers is a tensor in PyTorch."""
    given = {
        TORCH.get(name, name): torch.tensor(value, dtype=torch.float64)
        if isinstance(value, list)
        else value
        for name, value in options.items()
    }
    if "pos_weight" in given:
        given["pos_weight"] = torch.as_tensor(given["pos_weight"], dtype=torch.float64)
    with warnings.catch_warnings():
        # PyTorch says that 'mean' of kl_div may get another meaning.
        warnings.simplefilter("ignore")
        return case(loss, title, lambda *x: function(*x, **given), output, target, options)


def options_of_cross_entropy():
    name = "crossEntropy"
    weights, labels = [0.5, 2.0, 1.5, 0.25], indices([3, 0, 1, 1, 2])
    plain, ignoring = {"labelSmoothing": 0.0}, {"ignoreIndex": 1}
    for title, options in {
        "weights": {"weights": weights},
        "labelSmoothing": {"labelSmoothing": 0.3},
        "ignoreIndex": ignoring,
        "all three": {"weights": weights, "labelSmoothing": 0.3, **ignoring},
        "none of them": plain,
    }.items():
        for reduction in ["mean", "sum", "none"]:
            given_ = {**options, "reduction": reduction}
            title_ = f"labels, {title}, {reduction}"
            yield with_options(name, title_, cross_entropy, drawn(5, 4), labels, given_)
        if "ignoreIndex" in options:
            continue
        for reduction in ["mean", "sum", "none"]:
            given_ = {**options, "reduction": reduction}
            title_ = f"probabilities, {title}, {reduction}"
            target = probabilities(2, 4)
            yield with_options(name, title_, cross_entropy, drawn(2, 4), target, given_)
    beyond = indices([[3, -100, 1], [-100, 2, 2]])
    given_ = {"ignoreIndex": -100, "weights": weights}
    yield with_options(name, "[2, 3, 4], -100", cross_entropy, drawn(2, 3, 4), beyond, given_)
    given_ = {"ignoreIndex": 2, "reduction": "sum"}
    yield with_options(
        name, "all ignored, sum", cross_entropy, drawn(2, 4), indices([2, 2]), given_
    )
    given_ = {"reduction": "mean"}
    yield with_options(name, "one row", cross_entropy, drawn(4), indices(3), given_)
    extreme_ = given([[1e5, 1e5, 1.3], [-745.3, 1000.0, -INF]])
    given_ = {"labelSmoothing": 0.0, "weights": [1.0, 2.0, 0.5], "reduction": "none"}
    yield with_options(name, "extreme", cross_entropy, extreme_, indices([0, 0]), given_)
    for title, labels in {"no rows": [], "no rows, none": []}.items():
        given_ = {"reduction": "none" if "none" in title else "sum"}
        yield with_options(name, title, cross_entropy, drawn(0, 4), indices(labels), given_)
    # With reduction mean and no rows, or all of them ignored, PyTorch gives NaN. forebay gives NaN and 0.


def other_losses():
    share = lambda *shape: drawn(*shape, low=0.05, high=0.95)
    reductions = ["mean", "sum", "none"]
    name, function = "binaryCrossEntropyWithLogits", F.binary_cross_entropy_with_logits
    for reduction in reductions:
        given_ = {"positiveWeight": [3.0, 0.5, 1.0], "reduction": reduction}
        yield with_options(
            name, f"positiveWeight, {reduction}", function, drawn(4, 3), share(4, 3), given_
        )
        given_ = {"positiveWeight": 2.5, "weights": [0.5, 0.0, 2.0], "reduction": reduction}
        yield with_options(
            name, f"both weights, {reduction}", function, drawn(2, 3), share(2, 3), given_
        )
        for loss, torchs in {"mse": F.mse_loss, "mae": F.l1_loss, "huber": F.huber_loss}.items():
            given_ = {"reduction": reduction}
            yield with_options(loss, f"[3, 2], {reduction}", torchs, drawn(3, 2), drawn(3, 2), given_)
        given_ = {"reduction": reduction}
        yield with_options(
            "klDivergence", f"[2, 3], {reduction}", F.kl_div, drawn(2, 3), share(2, 3), given_
        )
    edges = given([0.0, 0.7, -0.7, 3.1, INF, -INF, float("nan")]), given([0.0] * 7)
    for delta in [0.7, 2.5]:
        given_ = {"delta": delta, "reduction": "none"}
        yield with_options("huber", f"edges, {delta}", F.huber_loss, *edges, given_)
    given_ = {"reduction": "none"}
    yield with_options("mae", "edges", F.l1_loss, given([0.0, INF, -2.0]), given([0.0] * 3), given_)
    for title, options, shape in [
        ("default", {}, [2, 3]),
        ("axis 0", {"axis": 0}, [3, 2, 2]),
        ("axis 1, large epsilon", {"axis": 1, "epsilon": 1e-3}, [2, 3]),
    ]:
        torchs = lambda a, b, dim=-1, **rest: F.cosine_similarity(a, b, dim=dim, **rest)
        yield with_options("cosineSimilarity", title, torchs, drawn(*shape), drawn(*shape), options)
    zero = given([[0.0, 0.0], [1.0, -2.0]]), given([[1.0, 2.0], [0.5, 0.25]])
    yield with_options("cosineSimilarity", "a zero vector", torchs, *zero, {})


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
    yield from options_of_cross_entropy()
    yield from other_losses()
    sure = given([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    yield case(name, "extreme logits, targets 0 and 1", function, given(EXTREME), sure)
