"""The cases of a variational auto-encoder (Kingma & Welling 2014, appendices B and C.1). The noise is recorded, too."""

import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

from draws import Draws, trainable
from record import same

INPUTS, HIDDEN, LATENT, BATCH = 12, 7, 3, 5


def case(title, decoder_hidden):
    draws = Draws(f"vae {title}")
    layers = {
        "encoder": (INPUTS, HIDDEN),
        "mean": (HIDDEN, LATENT),
        "logSigma": (HIDDEN, LATENT),
        **({"decoder": (LATENT, decoder_hidden)} if decoder_hidden else {}),
        "logits": (decoder_hidden or LATENT, INPUTS),
    }
    weights = {}
    for name, (inputs, units) in layers.items():
        weights[f"{name}.weight"] = trainable(draws.tensor(inputs, units, low=-0.8, high=0.8))
        weights[f"{name}.bias"] = trainable(draws.tensor(units, low=-0.5, high=0.7))
    x = draws.tensor(BATCH, INPUTS, low=0.0, high=1.0)
    noise = draws.tensor(BATCH, LATENT, low=-2.1, high=2.1)

    def affine(name, value):
        return value @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    features = torch.tanh(affine("encoder", x))
    mean, log_sigma = affine("mean", features), affine("logSigma", features)
    z = mean + torch.exp(log_sigma) * noise
    logits = affine("logits", torch.tanh(affine("decoder", z)) if decoder_hidden else z)

    reconstruction = -(x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)).sum(1).mean()
    divergence = 0.5 * (mean**2 + torch.exp(2 * log_sigma) - 1 - 2 * log_sigma).sum(1).mean()
    check(x, mean, log_sigma, logits, reconstruction, divergence)
    loss = reconstruction + divergence
    loss.backward()
    return {
        "title": title,
        "options": {
            "inputs": INPUTS,
            "hidden": HIDDEN,
            "latent": LATENT,
            "decoderHidden": decoder_hidden,
        },
        "parameters": weights,
        "x": x,
        "noise": noise,
        "mean": mean,
        "logSigma": log_sigma,
        "codes": z,
        "decoded": torch.sigmoid(logits),
        "reconstruction": reconstruction,
        "divergence": divergence,
        "loss": loss,
        "gradients": {name: weight.grad for name, weight in weights.items()},
    }


def check(x, mean, log_sigma, logits, reconstruction, divergence):
    torchs_kl = kl_divergence(Normal(mean, torch.exp(log_sigma)), Normal(0.0, 1.0)).sum(1).mean()
    same(divergence, torchs_kl, "divergence")
    torchs_bce = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1).mean()
    same(reconstruction, torchs_bce, "reconstruction")


def cases():
    return [case("a hidden layer in the decoder", 6), case("no hidden layer in the decoder", 0)]
