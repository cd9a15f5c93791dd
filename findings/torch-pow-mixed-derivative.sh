#!/usr/bin/env bash
# PyTorch 2.15.0: the two mixed second derivatives of pow(b, e) differ at e = 0.
#
# Expected: d/de d/db b^e = d/db d/de b^e = b^(e - 1) (1 + e log b), which is 1 / b at e = 0. Seen: 0 when the gradient of
# the base is differentiated, because PyTorch replaces that gradient by 0 where the exponent is 0. Seen: 1 / b in the
# other order. The Hessian of a trained exponent is then not symmetric.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-input torch==2.15.0
cat >pow.py <<'PY'
import torch

b = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
e = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
by_b, by_e = torch.autograd.grad(torch.pow(b, e), (b, e), create_graph=True)
(base_first,) = torch.autograd.grad(by_b, e, retain_graph=True)
(exponent_first,) = torch.autograd.grad(by_e, b)
print(base_first.item(), exponent_first.item())
PY
seen=$(venv/bin/python pow.py 2>/dev/null)
echo "d/de d/db and d/db d/de of b^e at b = 2, e = 0: $seen"
[ "$seen" = '0.0 0.5' ] || { echo 'this has changed'; exit 1; }
