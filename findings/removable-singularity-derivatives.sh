#!/usr/bin/env bash
# PyTorch 2.15.0 and JAX 0.10.2: higher derivatives are wrong where a rule masks a removable singularity.
#
# Both functions are smooth at 0. sinc(x) = sin(pi x) / (pi x) has the second derivative -pi^2 / 3 = -3.289868 there. The
# modified Bessel function I1(x) = x / 2 + x^3 / 16 + ... has the third derivative 3 / 8 = 0.375.
# Expected: both from both libraries, for each function has a differentiable rule. Seen at 0: PyTorch gives NaN for sinc
# and 0 for I1, without an error. JAX is right for sinc and gives 1.5 for I1. At 0.001 both agree with the series.
# A mask that is right for a value is not right for its derivatives. A test of each order at the masked point shows it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-input torch==2.15.0 jax==0.10.2 jaxlib==0.10.2
cat >derivatives.py <<'PY'
import jax
import torch

jax.config.update('jax_enable_x64', True)


def by_torch(function, order, at):
    x = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    y = function(x)
    for _ in range(order):
        (y,) = torch.autograd.grad(y, x, create_graph=True)
    return y.item()


def by_jax(function, order, at):
    for _ in range(order):
        function = jax.grad(function)
    return float(function(at))


for at in (0.0, 0.001):
    print('sinc, second, at', at, *(round(v, 4) for v in (by_torch(torch.sinc, 2, at), by_jax(jax.numpy.sinc, 2, at))))
    print('I1, third, at', at, *(round(v, 4) for v in (by_torch(torch.special.i1, 3, at), by_jax(jax.scipy.special.i1, 3, at))))
PY
seen=$(venv/bin/python derivatives.py)
echo "$seen"
expected='sinc, second, at 0.0 nan -3.2899
I1, third, at 0.0 0.0 1.5
sinc, second, at 0.001 -3.2899 -3.2899
I1, third, at 0.001 0.375 0.375'
[ "$seen" = "$expected" ] || { echo 'this has changed'; exit 1; }
