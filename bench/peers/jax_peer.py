"""Runs the workloads in JAX. A whole training step is one jitted function, to which the parameters are donated."""

import os

# These lines must run before the import of JAX. When XLA is imported, it chooses the sizes of its thread pools from
# these variables and from the processors that this process may use.
THREADS = int(os.environ["OMP_NUM_THREADS"])
os.environ["NPROC"] = str(THREADS)
if THREADS == 1:
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy

from jax_models import array_of, dense_of, models_of, perceptron
from peer import Files, Peer, layers_of, reset_peak, serve


def manifest_of(files, prefix, tensors):
    """Writes arrays to files for the harness. Returns the entries that describe the files."""
    arrays = {name: numpy.ascontiguousarray(value) for name, value in tensors.items()}
    rows = {name: (value.tobytes(), str(value.dtype), value.shape) for name, value in arrays.items()}
    return files.write(prefix, rows)


def zeros_like(tree):
    return jax.tree.map(jnp.zeros_like, tree)


def sgd(parameters):
    """Returns the initial state of plain gradient descent, and its update function.

    The update function takes (state, gradients, rate) and returns the new state, a tuple whose first item is the
    parameters.
    """

    def update(state, gradients, rate):
        return (jax.tree.map(lambda p, g: p - rate * g, state[0], gradients),)

    return (jax.tree.map(jnp.copy, parameters),), update


def adam(parameters, decay=0.0):
    """Returns the initial state and the update function of Adam, as `sgd` does. It uses the defaults of the paper.

    Each parameter decays in a step by the share `decay`, times the rate.
    """
    beta1, beta2, epsilon = 0.9, 0.999, 1e-8

    def update(state, gradients, rate):
        p, m, v, t = state
        t = t + 1
        m = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, m, gradients)
        v = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, v, gradients)
        of_m, of_v = 1 - beta1**t, 1 - beta2**t
        step = lambda m, v: (m / of_m) / (jnp.sqrt(v / of_v) + epsilon)
        if decay:
            moved = lambda p, m, v: p - rate * (step(m, v) + decay * p)
        else:
            moved = lambda p, m, v: p - rate * step(m, v)
        return jax.tree.map(moved, p, m, v), m, v, t

    zeros = zeros_like(parameters), zeros_like(parameters), jnp.zeros((), jnp.float32)
    return (jax.tree.map(jnp.copy, parameters), *zeros), update


def adam_w(parameters):
    """Returns the same for AdamW, with the default decay of PyTorch and forebay."""
    return adam(parameters, decay=0.01)


OPTIMIZERS = {"sgd": sgd, "adam": adam, "adamW": adam_w}


class JaxPeer(Peer):
    def hello(self, threads, compiled):
        assert threads == THREADS, "the thread count is fixed by OMP_NUM_THREADS at the start"
        return {
            "version": jax.__version__,
            "capability": None,
            "blas": {"files": [], "core": None},
            "threads": threads,
        }

    def load(self, spec, folder, manifest, training, only):
        jax.config.update("jax_enable_x64", spec["dtype"] == "float64")
        files = Files(folder, manifest)
        self.forms = {}
        load = self.load_prediction if spec["kind"] == "predict" else self.load_training
        found = load(spec, files, training, only)
        reset_peak()
        return {"forms": found, "leftOut": {}}

    def load_prediction(self, spec, files, _training, only):
        names = layers_of(spec)
        parameters = {name: dense_of(files, name) for name in names}
        x = array_of(files, "x")
        forward = perceptron(names)
        jitted = jax.jit(forward)
        # Here the weights are constants of the compiled program, so XLA may change their memory layout.
        constant = jax.jit(lambda x: forward(parameters, x))
        forms = {
            "jitted": lambda: jitted(parameters, x).block_until_ready(),
            "jitted, weights constant": lambda: constant(x).block_until_ready(),
        }
        found = []
        for index, (name, step) in enumerate(forms.items()):
            if only not in (None, name):
                continue
            self.forms[name] = step
            results = manifest_of(files, f"jax-{index}", {"output": step()})
            found.append({"name": name, "losses": [], "results": results})
        return found

    def load_training(self, spec, files, training, only):
        found = []
        for index, (label, make) in enumerate(models_of(spec).items()):
            name = f"jitted, donated, {label}" if label else "jitted, donated"
            if only not in (None, name):
                continue
            model = make(spec, files)
            gradients = jax.jit(jax.grad(model.loss))(model.parameters)
            results = manifest_of(files, f"jax-{index}", model.named(gradients))
            self.forms[name], losses = self.training_form(model, spec, training)
            found.append({"name": name, "losses": losses, "results": results})
        return found

    def training_form(self, model, spec, training):
        """Takes the training steps whose losses are compared with those of forebay.

        Returns a function that takes one step at the rate of the timed steps, and the list of these losses.
        """
        state, update = OPTIMIZERS[spec["optimizer"]](model.parameters)

        def whole(state, rate):
            loss, gradients = jax.value_and_grad(model.loss)(state[0])
            return update(state, gradients, rate), loss

        jitted = jax.jit(whole, donate_argnums=0)
        dtype = jax.tree.leaves(model.parameters)[0].dtype
        rate = jnp.asarray(spec["rate"], dtype)
        losses = []
        for _ in range(training["checkSteps"]):
            state, loss = jitted(state, rate)
            losses.append(float(loss))
        kept = [state]
        timed = jnp.asarray(training["timedRate"], dtype)

        def step():
            kept[0], loss = jitted(kept[0], timed)
            jax.block_until_ready((kept[0], loss))

        step()
        return step, losses


serve(JaxPeer)
