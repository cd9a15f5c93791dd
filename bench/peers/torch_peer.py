"""Runs the workloads in PyTorch, with the weights of forebay, in every form that PyTorch has."""

import copy
import ctypes
import os

import torch

from peer import Files, Peer, mapped_files, reset_peak, serve
from torch_files import DTYPES
from torch_models import MODELS

OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamW": torch.optim.AdamW}
# The ways in which optimizers of PyTorch loop over the parameters.
LOOPS = {"loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
# The values of `set_to_none` of zero_grad. With True, gradients are allocated anew in each step. With False, they are
# filled with zeros.
CLEARING = {"grads to none": True, "grads to zeros": False}
COMPILERS = {"compiled": {}, "compiled, cpp wrapper": {"options": {"cpp_wrapper": True}}}


def manifest_of(files, prefix, tensors):
    """Writes tensors to files for the harness. Returns the entries that describe the files."""
    rows = {}
    for name, value in tensors.items():
        dense = value.detach().contiguous()
        dtype = next(key for key, kind in DTYPES.items() if kind == dense.dtype)
        size = dense.nelement() * dense.element_size()
        rows[name] = (ctypes.string_at(dense.data_ptr(), size), dtype, dense.shape)
    return files.write(prefix, rows)


class TrainingForms:
    """Every way to take a training step: each combines a loss function, an optimizer and a way to clear gradients."""

    def __init__(self, model, spec, training, compiled):
        self.model = model
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.start = [parameter.detach().clone() for parameter in self.parameters]
        self.optimizer = OPTIMIZERS[spec["optimizer"]]
        self.rate = spec["rate"]
        self.training = training
        self.compiled = compiled

    def names(self):
        """Yields a tuple for each way to take a step.

        The items of the tuple are the name, the key of the loss function in `losses()`, the key of the optimizer's
        loop in LOOPS, whether the optimizer is compiled, and the argument `set_to_none` of zero_grad.
        """
        for loop in LOOPS:
            for clearing, none in CLEARING.items():
                yield f"eager, {loop}, {clearing}", "eager", loop, False, none
        if not self.compiled:
            return
        for compiler in COMPILERS:
            for loop in ("foreach", "fused"):
                for clearing, none in CLEARING.items():
                    yield f"{compiler}, {loop}, {clearing}", compiler, loop, False, none
            yield f"{compiler}, compiled optimizer, grads to none", compiler, "foreach", True, True

    def losses(self):
        """Returns the loss functions by name: eager, and one for each compiler. Each is compiled at its first call."""
        losses = {"eager": self.model.loss}
        if self.compiled:
            for name, options in COMPILERS.items():
                losses[name] = torch.compile(self.model.loss, **options)
        return losses

    def make(self, loss, loop, compiled, none):
        """Returns two functions: one takes a training step and returns its loss, one sets the learning rate."""
        optimizer = self.optimizer(self.parameters, lr=self.rate, **LOOPS[loop])
        update = torch.compile(optimizer.step) if compiled else optimizer.step

        def step():
            optimizer.zero_grad(set_to_none=none)
            value = loss()
            value.backward()
            update()
            return value

        def set_rate(rate):
            optimizer.param_groups[0]["lr"] = rate

        return step, set_rate

    def check(self, step):
        """Restores the initial weights and takes steps. Returns all losses, and the gradients of the first step."""
        with torch.no_grad():
            for parameter, value in zip(self.parameters, self.start):
                parameter.copy_(value)
                parameter.grad = None
        losses, gradients = [], {}
        for _ in range(self.training["checkSteps"]):
            losses.append(step().item())
            if not gradients:
                gradients = {name: grad.clone() for name, grad in self.model.gradients().items()}
        return losses, gradients


class PredictionForms:
    """Every way to predict: eager, traced and frozen, compiled, and compiled with the weights as constants."""

    def __init__(self, model, compiled):
        self.model = model
        self.compiled = compiled

    def makers(self):
        yield "eager", lambda: self.model
        yield "traced and frozen", self.traced
        if not self.compiled:
            return
        yield "compiled", lambda: torch.compile(copy.deepcopy(self.model))
        wrapped = {"options": {"cpp_wrapper": True}}
        yield "compiled, cpp wrapper", lambda: torch.compile(copy.deepcopy(self.model), **wrapped)
        frozen = {"options": {"freezing": True}}
        yield "compiled and frozen", lambda: torch.compile(copy.deepcopy(self.model), **frozen)

    def traced(self):
        traced = torch.jit.trace(self.model.eval(), self.model.x)
        return torch.jit.optimize_for_inference(torch.jit.freeze(traced))

    def steps(self):
        x = self.model.x
        for name, make in self.makers():
            yield name, lambda make=make: self.step(make, x)

    @staticmethod
    def step(make, x):
        with torch.inference_mode():
            predict = make()
            predict(x)

        def step():
            with torch.inference_mode():
                return predict(x)

        return step


class TorchPeer(Peer):
    def hello(self, threads, compiled):
        torch.set_num_threads(threads)
        self.compiled = compiled and hasattr(torch, "compile")
        files = mapped_files("blas|mkl")
        core = None
        for file in files:
            library = ctypes.CDLL(file)
            if hasattr(library, "openblas_get_corename"):
                library.openblas_get_corename.restype = ctypes.c_char_p
                core = library.openblas_get_corename().decode()
        config = torch.__config__.show()
        capability = [line.split(":")[1].strip() for line in config.splitlines() if "CPU capability" in line]
        return {
            "version": torch.__version__,
            "capability": capability[0] if capability else None,
            "blas": {"files": [os.path.realpath(file) for file in files], "core": core},
            "threads": torch.get_num_threads(),
        }

    def load(self, spec, folder, manifest, training, only):
        files = Files(folder, manifest)
        self.forms = {}
        found, left_out = [], {}
        for index, (name, attempt) in enumerate(self.attempts(spec, files, training)):
            if only not in (None, name):
                continue
            try:
                step, losses, results = attempt()
            except Exception as error:  # this version of PyTorch or this machine does not support the form
                left_out[name] = f"{type(error).__name__}: {error}"[:300]
                continue
            self.forms[name] = step
            results = manifest_of(files, f"torch-{os.getpid()}-{index}", results)
            found.append({"name": name, "losses": losses, "results": results})
        reset_peak()
        return {"forms": found, "leftOut": left_out}

    def attempts(self, spec, files, training):
        """Yields a pair for every form of every model: its name, and a function that makes and checks its step."""
        for label, make in MODELS[spec["kind"]].items():
            model = make(spec, files)
            forms = self.predictions(model) if spec["kind"] == "predict" else self.trainings(model, spec, training)
            for name, attempt in forms:
                yield f"{label}, {name}" if label else name, attempt

    def predictions(self, model):
        def attempt(make):
            step = make()
            return step, [], {"output": step().clone()}

        for name, make in PredictionForms(model, self.compiled).steps():
            yield name, lambda make=make: attempt(make)

    def trainings(self, model, spec, training):
        forms = TrainingForms(model, spec, training, self.compiled)
        losses = forms.losses()

        def attempt(compiler, *how):
            step, set_rate = forms.make(losses[compiler], *how)
            found, gradients = forms.check(step)
            set_rate(training["timedRate"])
            # A compiled optimizer is recompiled after a change of the rate. So one step is taken before the
            # timing.
            step()
            return step, found, gradients

        for name, *how in forms.names():
            yield name, lambda how=how: attempt(*how)


serve(TorchPeer)
