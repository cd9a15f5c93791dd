#!/usr/bin/env python3
"""Writes the golden values with which test/golden compares the results of forebay. Floats are float64.

    PYTHON tools/golden/generate.py test/golden/data

PYTHON is a Python that has PyTorch. `node bench/peers/install.mjs` installs the newest one into
.cmake/peers/venv; the package of Debian is python3-torch (1.13). The committed values were computed by
PyTorch 2.15.0. Each file names the version that computed it. `npm run check:golden` computes the values
again and compares them with the committed ones.

PyTorch 1.13 and 2.15 agree on every case up to 1e-12, including infinities and NaNs. If forebay differs
from both on purpose, a comment at the case says so, and only values are recorded.
"""

import os
import sys

# On small machines, idle threads of OpenBLAS slow PyTorch down several times.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Do not write __pycache__ next to the sources.
sys.dont_write_bytecode = True

import attention
import layers
import lengths
import losses
import lstm
import ops_compositions
import ops_convolution
import ops_data
import ops_elementwise
import ops_kernels
import ops_networks
import ops_routines
import ops_structure
import optimizers
import recurrent
import schedules
import stateful
import vae
from record import write

FILES = {
    "ops-elementwise": ops_elementwise,
    "ops-kernels": ops_kernels,
    "ops-structure": ops_structure,
    "ops-routines": ops_routines,
    "ops-convolution": ops_convolution,
    "ops-compositions": ops_compositions,
    "ops-networks": ops_networks,
    "attention": attention,
    "ops-data": ops_data,
    "layers": layers,
    "recurrent": recurrent,
    "lengths": lengths,
    "lstm": lstm,
    "vae": vae,
    "losses": losses,
    "optimizers": optimizers,
    "schedules": schedules,
    "stateful": stateful,
}


def main(folder):
    for name, module in FILES.items():
        cases = list(module.cases())
        titles = [f"{c.get('op', c.get('loss', c.get('layer', '')))} {c['title']}" for c in cases]
        assert len(set(titles)) == len(titles), f"{name}: a title is used twice"
        path = write(folder, name, cases)
        print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: generate.py FOLDER")
    main(sys.argv[1])
