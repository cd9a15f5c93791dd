#!/usr/bin/env bash
# PyTorch 2.15.0: cross_entropy with probabilities is NaN at a masked logit whose probability is 0.
#
# Expected: 0 log 0 = 0, as in torch.special.xlogy and torch.special.entr. The loss of logits [-inf, 0, 1] against the
# probabilities [0, 1/2, 1/2] is log(1 + e) - 1/2 = 0.8132617. Seen: NaN; with a class index the same logits give a number.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-input torch==2.15.0
cat >loss.py <<'PY'
import torch

logits = torch.tensor([[float('-inf'), 0.0, 1.0]], dtype=torch.float64)
probabilities = torch.tensor([[0.0, 0.5, 0.5]], dtype=torch.float64)
loss = torch.nn.functional.cross_entropy
zero = torch.tensor(0.0)
print(loss(logits, probabilities).item(), round(loss(logits, torch.tensor([1])).item(), 6), torch.special.xlogy(zero, zero).item())
PY
seen=$(venv/bin/python loss.py 2>/dev/null)
echo "probabilities, class 1, xlogy(0, 0): $seen"
[ "$seen" = 'nan 1.313262 0.0' ] || { echo 'this has changed'; exit 1; }
