#!/usr/bin/env bash
# PyTorch 2.15.0: the second derivative of mish is NaN where the function is a straight line.
#
# Expected: for large x, mish(x) = x tanh(softplus(x)) is x, and its second derivative is 0, as that of silu is. Seen: the
# value and the first derivative are right, but the second is NaN in float32 at 100 and in float64 at 800, because e^x
# overflows in its formula. One such activation makes a gradient penalty or a Hessian product NaN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-input torch==2.15.0
cat >second.py <<'PY'
import torch
from torch.nn.functional import mish, silu

def derivatives(f, value, dtype):
    x = torch.tensor(value, dtype=dtype, requires_grad=True)
    (first,) = torch.autograd.grad(f(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    return first.item(), second.item()

for f in (mish, silu):
    print(*derivatives(f, 50.0, torch.float32), *derivatives(f, 100.0, torch.float32), *derivatives(f, 800.0, torch.float64))
PY
seen=$(venv/bin/python second.py 2>/dev/null | tr '\n' ' ')
echo "first and second derivatives of mish, then silu, at 50, 100 (float32) and 800 (float64): $seen"
[ "$seen" = '1.0 0.0 1.0 nan 1.0 nan 1.0 0.0 1.0 0.0 1.0 0.0 ' ] || { echo 'this has changed'; exit 1; }
