#!/usr/bin/env bash
# PyTorch 2.15.0: the gradient of hardsigmoid in float64 is 1/6 rounded to float32.
#
# Expected: hardsigmoid(x) is x / 6 + 1/2 between -3 and 3, so its gradient in float64 is 0.16666666666666666, as the
# difference quotient of its own values shows. Seen: 0.1666666716337204, which is wrong from the 8th digit on, so a
# check of gradients at 1e-10 fails. hardtanh, the same function with another scale, has an exact gradient.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-input torch==2.15.0
cat >slope.py <<'PY'
import torch
from torch.nn.functional import hardsigmoid, hardtanh

def slopes(f):
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(f(x).sum(), x)
    step = 2.0**-10
    quotient = (f(x.detach() + step) - f(x.detach() - step)) / (2 * step)
    return gradient.item(), abs(gradient - quotient).item() < 1e-12

print(*slopes(hardsigmoid), *slopes(lambda x: hardtanh(x / 3) / 2 + 0.5))
PY
seen=$(venv/bin/python slope.py 2>/dev/null)
echo "hardsigmoid: gradient, as its quotient; the same by hardtanh: $seen"
[ "$seen" = '0.1666666716337204 False 0.16666666666666666 True' ] || { echo 'this has changed'; exit 1; }
