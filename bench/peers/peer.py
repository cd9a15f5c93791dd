"""Code that all peers in Python use: the protocol, the exchange of tensors, and the memory of the process.

The harness (bench/src) starts a peer as a process. They exchange JSON, one message per line, over standard
input and output. bench/README.md lists the messages. Tensors are exchanged as raw files, little-endian and
row-major.
"""

import json
import os
import pathlib
import re
import sys
import time

GATES = ("input", "forget", "cell", "output")  # in the order of nn.LSTM
GRU_GATES = ("reset", "update", "candidate")  # in the order of nn.GRU


def layers_of(spec):
    """Returns the names of the dense layers of a network, in order."""
    return [f"layer{index}" for index in range(len(spec["layers"]) - 1)]


def status_bytes(key):
    """Returns a number from /proc/self/status, such as VmRSS, in bytes."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


def reset_peak():
    """Resets the peak memory of this process (VmHWM), if the kernel allows it."""
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def mapped_files(pattern):
    """Returns the paths of the files mapped into this process, such as shared libraries, that match a pattern."""
    lines = pathlib.Path("/proc/self/maps").read_text().splitlines()
    return sorted({line.split()[-1] for line in lines if "/" in line and re.search(pattern, line)})


class Files:
    """Reads and writes tensors in the folder that the harness and the peer share."""

    def __init__(self, folder, manifest):
        self.folder = pathlib.Path(folder)
        self.entries = {entry["name"]: entry for entry in manifest}

    def __contains__(self, name):
        return name in self.entries

    def read(self, name):
        """Returns the bytes of a tensor, the name of its dtype, and its shape."""
        entry = self.entries[name]
        return bytearray((self.folder / entry["file"]).read_bytes()), entry["dtype"], entry["shape"]

    def write(self, prefix, tensors):
        """Writes tensors, given as {name: (bytes, dtype, shape)}. Returns the entries that describe the files."""
        manifest = []
        for index, (name, (data, dtype, shape)) in enumerate(tensors.items()):
            file = f"{prefix}-{index}.raw"
            (self.folder / file).write_bytes(data)
            manifest.append({"name": name, "dtype": dtype, "shape": list(shape), "file": file})
        return manifest


class Peer:
    """
    A peer answers the requests of the harness. A subclass defines `hello` and `load`. `load` sets `forms`:
    functions by name, each of which takes one step.
    """

    def __init__(self):
        # At this point the library has been imported, but has computed nothing.
        self.memory_at_import = status_bytes("VmRSS")
        self.forms = {}

    def round(self, steps, form):
        step = self.forms[form]
        start = time.perf_counter()
        for _ in range(steps):
            step()
        return {"seconds": time.perf_counter() - start}

    def memory(self):
        return {"growth": status_bytes("VmHWM") - self.memory_at_import}


def serve(make):
    """Answers requests, one per line, until standard input ends."""
    # Answers are written to the original standard output. Descriptor 1 is redirected to standard error, so that the
    # output of libraries is not mixed with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    peer = make()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(peer, request.pop("op"))(**request)
        except Exception as error:  # the harness reports the error with the name of the peer, and stops
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
