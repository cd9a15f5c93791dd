"""The workloads as functions of JAX, in several forms."""

import jax
import jax.numpy as jnp
import numpy
from jax import lax

from peer import GATES, layers_of


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
    return jnp.tanh if spec["kind"] == "lstm-nodes" else lambda x: x


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


def lstms(spec):
    """Returns the forms of an LSTM that XLA compiles: loops, and unrolled forms if the sequence is short."""
    forms = {"scan": side_by_side(1), "scan, 4 steps unrolled": side_by_side(4)}
    if spec["steps"] <= 8:
        forms["unrolled"] = side_by_side(spec["steps"])
        forms["gate by gate, unrolled"] = gate_by_gate
    return forms


def models_of(spec):
    """Returns a dictionary of functions, each of which makes a model. Its keys are the names of the forms."""
    kinds = {"vae": {"": auto_encoder}, "mlp": {"": classifier}}
    return kinds[spec["kind"]] if spec["kind"] in kinds else lstms(spec)
