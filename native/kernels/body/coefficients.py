"""The polynomials of native/kernels/body: near-minimax (Chebyshev) fits, computed with 100 digits.

To print them, run python3 native/kernels/body/coefficients.py (needs python3-mpmath).
It prints for each polynomial its name and dtype, the largest relative error of the function, and the coefficients
in ascending powers.
"""
from mpmath import (
    asin, atan, atanh, chebyfit, cos, erf, erfc, expm1, floor, log, mp, mpf, pi, polyval, sin, sqrt,
)

mp.dps = 100


def series(f, x):
    """Returns f(x). If x is (nearly) zero, returns f(1e-30), because the formula of f is 0 / 0 at zero."""
    return f(x if abs(x) > mpf(10) ** -30 else mpf(10) ** -30)


def fit(name, f, interval, counts, weight):
    low, high = interval
    for dtype, count in counts.items():
        poly = chebyfit(lambda x: series(f, x), [low, high], count)
        worst = max(
            abs((polyval(poly, x) - series(f, x)) * weight(x))
            for x in (low + (high - low) * i / 400 for i in range(401))
        )
        digits = 10 if dtype == "float" else 18
        print(f"{name} {dtype}: error {float(worst):.2g}")
        print("   ", ", ".join(mp.nstr(c, digits, strip_zeros=False) for c in reversed(poly)))


half_log2 = log(2) / 2 * mpf("1.0001")
# exp(r) = 1 + r + r^2 P(r). The error of expm1 is measured, because it is larger than the error of exp.
fit("exp", lambda r: (expm1(r) - r) / r**2, (-half_log2, half_log2), {"float": 6, "double": 10},
    lambda r: abs(r) if r else 0)
# log((1 + s) / (1 - s)) = 2s + s z P(z), z = s^2. |s| <= 0.1716, because log splits off the exponent of x first.
top = ((sqrt(2) - 1) / (sqrt(2) + 1) * mpf("1.0001")) ** 2
atanh_rest = lambda z: (2 * atanh(sqrt(z)) / sqrt(z) - 2) / z
fit("log", atanh_rest, (mpf(0), top), {"float": 4, "double": 7}, lambda z: z / 2)
# The same P for |s| <= 1/3. This is the range of s for log1p(e) = log((1 + s) / (1 - s)) with e in [0, 1].
fit("log1p", atanh_rest, (mpf(0), mpf(1) / 9), {"float": 5, "double": 10}, lambda z: z / 2)
# sin(pi f / 2) = f (pi / 2 + z S(z)), cos(pi f / 2) = 1 + z C(z), z = f^2, |f| <= 1/2
fit("sin", lambda z: (sin(pi / 2 * sqrt(z)) / sqrt(z) - pi / 2) / z, (mpf(0), mpf(1) / 4), {"double": 6},
    lambda z: z)
fit("cos", lambda z: (cos(pi / 2 * sqrt(z)) - 1) / z, (mpf(0), mpf(1) / 4), {"double": 7}, lambda z: z)
# erf(x) = x + x E(x^2) for |x| <= 1, and log(1 - erf(1 + t)) = F(t) for t >= 0, up to the t at which erf rounds to 1.
fit("erf", lambda z: erf(sqrt(z)) / sqrt(z) - 1, (mpf(0), mpf(1)), {"float": 7, "double": 13}, lambda z: mpf("1.2"))
for dtype, count, highest in [("float", 9, 3), ("double", 24, 5)]:
    fit("erfc", lambda t: log(erfc(1 + t)), (mpf(0), mpf(highest)), {dtype: count}, lambda t: erfc(1 + t))
# atan(x) = x + x z P(z) for |x| <= tan(pi / 8), asin(x) = x + x z P(z) for |x| <= 1/2, where z = x^2
top = ((sqrt(2) - 1) * mpf("1.0001")) ** 2
fit("atan", lambda z: (atan(sqrt(z)) / sqrt(z) - 1) / z, (mpf(0), top), {"float": 5, "double": 12}, lambda z: z)
fit("asin", lambda z: (asin(sqrt(z)) / sqrt(z) - 1) / z, (mpf(0), mpf(1) / 4), {"float": 6, "double": 13},
    lambda z: z)
# For tan: sin(x) = x + x z S(z), cos(x) = 1 - z / 2 + z^2 C(z), z = x^2, |x| <= pi / 4
top = (pi / 4 * mpf("1.0001")) ** 2
fit("sine", lambda z: (sin(sqrt(z)) / sqrt(z) - 1) / z, (mpf(0), top), {"double": 6}, lambda z: z)
fit("cosine", lambda z: (cos(sqrt(z)) - 1 + z / 2) / z**2, (mpf(0), top), {"double": 6}, lambda z: z * z)
# pi / 2 as parts of 33 bits, and the rest
rest = pi / 2
for _ in range(3):
    unit = mpf(2) ** (floor(log(rest, 2)) - 32)
    part = floor(rest / unit) * unit
    print("pi / 2:", float(part).hex())
    rest -= part
print("pi / 2, rest:", float(rest).hex())
