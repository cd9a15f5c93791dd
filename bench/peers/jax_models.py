"""The workloads as functions of JAX, in several forms."""

import jax
import jax.numpy as jnp
import numpy
from jax import lax

from peer import GATES, GRU_GATES, layers_of


def array_of(files, name):
    data, dtype, shape = files.read(name)
    return jnp.asarray(numpy.frombuffer(data, dtype=dtype).reshape(shape))


def dense_of(files, name):
    return {"weight": array_of(files, f"{name}.weight"), "bias": array_of(files, f"{name}.bias")}


def dense(layer, x):
    return x @ layer["weight"] + layer["bias"]


def named_layers(names):
    """Returns a function that flattens gradients from {layer: {weight, bias}} to {"layer.weight", "layer.bias"}."""

    def named(gradients):
        parts = ("weight", "bias")
        return {f"{name}.{part}": gradients[name][part] for name in names for part in parts}

    return named


class Model:
    """A model: its parameters as a tree of arrays, its loss as a function of this tree, and a function `named`.

    `named` takes the tree of gradients and returns a dictionary of gradients by the names of the workload.
    """

    def __init__(self, parameters, loss, named):
        self.parameters = parameters
        self.loss = loss
        self.named = named


def activation_of(spec):
    """Returns the activation function of the readout (output layer) of a recurrent network."""
    return jnp.tanh if spec["readout"] == "tanh" else lambda x: x


def gate_by_gate(spec, files):
    """Returns a model of an LSTM that has one weight for each gate and computes one time step after another."""
    names = [f"lstm.{gate}" for gate in GATES] + ["readout"]
    x, target = array_of(files, "x"), array_of(files, "target")
    activation = activation_of(spec)

    def loss(p):
        hidden = cell = jnp.zeros((spec["batch"], spec["units"]), x.dtype)
        outputs = []
        for t in range(spec["steps"]):
            z = jnp.concatenate([x[t], hidden], 1)
            admit, forget, output = (
                jax.nn.sigmoid(dense(p[f"lstm.{gate}"], z)) for gate in ("input", "forget", "output")
            )
            cell = forget * cell + admit * jnp.tanh(dense(p["lstm.cell"], z))
            hidden = output * jnp.tanh(cell)
            outputs.append(activation(dense(p["readout"], hidden)))
        return ((jnp.stack(outputs) - target) ** 2).mean()

    return Model({name: dense_of(files, name) for name in names}, loss, named_layers(names))


def side_by_side(unroll):
    """Returns a function that makes a faster form of the LSTM model.

    One product computes all four gates, and one product multiplies the inputs of all time steps. lax.scan computes
    the rest, with `unroll` time steps in each iteration of its loop.
    """

    def make(spec, files):
        inputs = spec["inputs"]
        gates = [dense_of(files, f"lstm.{gate}") for gate in GATES]
        weight = jnp.concatenate([gate["weight"] for gate in gates], 1)
        parameters = {
            "x": weight[:inputs],
            "h": weight[inputs:],
            "bias": jnp.concatenate([gate["bias"] for gate in gates]),
            "readout": dense_of(files, "readout"),
        }
        x, target = array_of(files, "x"), array_of(files, "target")
        activation = activation_of(spec)

        def loss(p):
            def step(state, projected):
                hidden, cell = state
                admit, forget, candidate, output = jnp.split(projected + hidden @ p["h"], 4, 1)
                cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(admit) * jnp.tanh(candidate)
                hidden = jax.nn.sigmoid(output) * jnp.tanh(cell)
                return (hidden, cell), hidden

            zeros = jnp.zeros((spec["batch"], spec["units"]), x.dtype)
            _, every = lax.scan(step, (zeros, zeros), x @ p["x"] + p["bias"], unroll=unroll)
            return ((activation(dense(p["readout"], every)) - target) ** 2).mean()

        def named(gradients):
            weights = jnp.split(jnp.concatenate([gradients["x"], gradients["h"]]), 4, 1)
            biases = jnp.split(gradients["bias"], 4)
            rows = {f"readout.{part}": gradients["readout"][part] for part in ("weight", "bias")}
            for gate, of_weight, of_bias in zip(GATES, weights, biases):
                rows |= {f"lstm.{gate}.weight": of_weight, f"lstm.{gate}.bias": of_bias}
            return rows

        return Model(parameters, loss, named)

    return make


def gru(unroll):
    """Returns a function that makes a model of a GRU in the same form."""

    def make(spec, files):
        parts = ("input", "hidden")
        wide = {part: [dense_of(files, f"gru.{gate}.{part}") for gate in GRU_GATES] for part in parts}
        parameters = {
            part: {
                "weight": jnp.concatenate([gate["weight"] for gate in gates], 1),
                "bias": jnp.concatenate([gate["bias"] for gate in gates]),
            }
            for part, gates in wide.items()
        }
        parameters["readout"] = dense_of(files, "readout")
        x, target = array_of(files, "x"), array_of(files, "target")
        activation = activation_of(spec)

        def loss(p):
            def step(hidden, projected):
                of_reset, of_update, of_candidate = jnp.split(projected, 3, 1)
                reset, update, candidate = jnp.split(dense(p["hidden"], hidden), 3, 1)
                reset = jax.nn.sigmoid(of_reset + reset)
                update = jax.nn.sigmoid(of_update + update)
                candidate = jnp.tanh(of_candidate + reset * candidate)
                hidden = (1 - update) * candidate + update * hidden
                return hidden, hidden

            zeros = jnp.zeros((spec["batch"], spec["units"]), x.dtype)
            _, every = lax.scan(step, zeros, dense(p["input"], x), unroll=unroll)
            return ((activation(dense(p["readout"], every)) - target) ** 2).mean()

        def named(gradients):
            rows = named_layers(["readout"])(gradients)
            for part in parts:
                weights = jnp.split(gradients[part]["weight"], 3, 1)
                biases = jnp.split(gradients[part]["bias"], 3)
                for gate, of_weight, of_bias in zip(GRU_GATES, weights, biases):
                    rows |= {f"gru.{gate}.{part}.weight": of_weight, f"gru.{gate}.{part}.bias": of_bias}
            return rows

        return Model(parameters, loss, named)

    return make


def auto_encoder(spec, files):
    """Returns a model of a variational auto-encoder with tanh. Its noise is read from the files."""
    names = [f"vae.{name}" for name in ("encoder", "mean", "logSigma", "decoder", "logits")]
    x, noise = array_of(files, "x"), array_of(files, "noise")

    def loss(p):
        encoder, mean_of, log_sigma_of, decoder, logits_of = (p[name] for name in names)
        features = jnp.tanh(dense(encoder, x))
        mean, log_sigma = dense(mean_of, features), dense(log_sigma_of, features)
        sigma = jnp.exp(log_sigma)
        logits = dense(logits_of, jnp.tanh(dense(decoder, mean + sigma * noise)))
        likelihood = (jax.nn.softplus(logits) - x * logits).sum()
        divergence = 0.5 * (mean * mean + sigma * sigma - 1 - 2 * log_sigma).sum()
        return (likelihood + divergence) / spec["batch"]

    return Model({name: dense_of(files, name) for name in names}, loss, named_layers(names))


def perceptron(names):
    """Returns a function of the parameters and x that computes dense layers with ReLU between them."""

    def predict(p, x):
        for name in names[:-1]:
            x = jax.nn.relu(dense(p[name], x))
        return dense(p[names[-1]], x)

    return predict


def classifier(spec, files):
    names = layers_of(spec)
    predict = perceptron(names)
    x, labels = array_of(files, "x"), array_of(files, "labels")

    def loss(p):
        chances = jax.nn.log_softmax(predict(p, x))
        return -jnp.take_along_axis(chances, labels[:, None], 1).mean()

    return Model({name: dense_of(files, name) for name in names}, loss, named_layers(names))


def layers_tree(files):
    """Returns all parameters of a workload as {layer: {weight, bias}}."""
    tree = {}
    for name in files.entries:
        layer, _, part = name.rpartition(".")
        if layer:
            tree.setdefault(layer, {})[part] = array_of(files, name)
    return tree


def flattened(gradients):
    return {f"{layer}.{part}": value for layer, parts in gradients.items() for part, value in parts.items()}


def cross_entropy(logits, labels):
    chances = jax.nn.log_softmax(logits)
    return -jnp.take_along_axis(chances, labels[..., None], -1).mean()


def network(predict):
    """Returns a function that makes a classifier from `predict(spec, p, x)`, which returns the logits."""

    def make(spec, files):
        x, labels = array_of(files, "x"), array_of(files, "labels")
        return Model(layers_tree(files), lambda p: cross_entropy(predict(spec, p, x), labels), flattened)

    return make


def images(predict):
    """Returns such a function for images. They and the weights of convolutions have adjacent channels in JAX."""

    def make(spec, files):
        x, labels = jnp.transpose(array_of(files, "x"), (0, 2, 3, 1)), array_of(files, "labels")
        turned = lambda tree, axes: {
            layer: {part: jnp.transpose(value, axes) if value.ndim == 4 else value for part, value in parts.items()}
            for layer, parts in tree.items()
        }
        parameters = turned(layers_tree(files), (2, 3, 1, 0))
        return Model(
            parameters,
            lambda p: cross_entropy(predict(spec, p, x), labels),
            lambda gradients: flattened(turned(gradients, (3, 2, 0, 1))),
        )

    return make


def convolution(layer, x):
    y = lax.conv_general_dilated(x, layer["weight"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y + layer["bias"] if "bias" in layer else y


def batch_norm(layer, x):
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) * lax.rsqrt(variance + 1e-5) * layer["weight"] + layer["bias"]


def convolution_net(spec, p, x):
    for index in range(len(spec["channels"]) - 1):
        x = jax.nn.relu(batch_norm(p[f"norm{index}"], convolution(p[f"conv{index}"], x)))
        x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    # The rows of the first dense weight are in the order of images with adjacent columns.
    features = jnp.transpose(x, (0, 3, 1, 2)).reshape(x.shape[0], -1)
    return dense(p["readout"], jax.nn.relu(dense(p["hidden"], features)))


def residual_net(spec, p, x):
    half = lambda name, x: batch_norm(p[f"{name}.norm"], convolution(p[f"{name}.conv"], x))
    x = convolution(p["stem"], x)
    for block in range(spec["blocks"]):
        x = jax.nn.relu(x + half(f"block{block}.second", jax.nn.relu(half(f"block{block}.first", x))))
    return dense(p["readout"], x.mean((1, 2)))


def bag(spec, p, x):
    return dense(p["readout"], jax.nn.relu(dense(p["hidden"], p["words"]["weight"][x].mean(1))))


def layer_norm(layer, x):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * layer["weight"] + layer["bias"]


def gpt(spec, p, x):
    tokens, heads, width = spec["tokens"], spec["heads"], spec["width"]
    mask = jnp.tril(jnp.ones((tokens, tokens), bool))

    def attention(q, k, v):
        scores = (q @ k.swapaxes(-1, -2)) * (width // heads) ** -0.5
        return jax.nn.softmax(jnp.where(mask, scores, -jnp.inf)) @ v

    y = p["gpt.tokens"]["weight"][x] + p["gpt.positions"]["weight"]
    for block in range(spec["blocks"]):
        layer = lambda name: p[f"gpt.blocks.{block}.{name}"]
        qkv = dense(layer("qkv"), layer_norm(layer("norm1"), y))
        q, k, v = qkv.reshape(-1, tokens, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
        y = y + dense(layer("out"), attention(q, k, v).transpose(0, 2, 1, 3).reshape(y.shape))
        middle = jax.nn.gelu(dense(layer("up"), layer_norm(layer("norm2"), y)), approximate=False)
        y = y + dense(layer("down"), middle)
    return layer_norm(p["gpt.norm"], y) @ p["gpt.logits"]["weight"]


def lstms(spec):
    """Returns the forms of an LSTM that XLA compiles: loops, and unrolled forms if the sequence is short."""
    forms = {"scan": side_by_side(1), "scan, 4 steps unrolled": side_by_side(4)}
    if spec["steps"] <= 8:
        forms["unrolled"] = side_by_side(spec["steps"])
        forms["gate by gate, unrolled"] = gate_by_gate
    return forms


def models_of(spec):
    """Returns a dictionary of functions, each of which makes a model. Its keys are the names of the forms."""
    kinds = {
        "gru": {"scan": gru(1), "scan, 4 steps unrolled": gru(4)},
        "vae": {"": auto_encoder},
        "mlp": {"": classifier},
        "cnn": {"": images(convolution_net)},
        "resnet": {"": images(residual_net)},
        "bag": {"": network(bag)},
        "gpt": {"": network(gpt)},
    }
    return kinds[spec["kind"]] if spec["kind"] in kinds else lstms(spec)
