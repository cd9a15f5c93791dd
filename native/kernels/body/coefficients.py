"""The polynomials of native/kernels/body: near-minimax (Chebyshev) fits, computed with 100 digits.

To print them, run python3 native/kernels/body/coefficients.py (needs python3-mpmath).
It prints for each polynomial its name and dtype, the largest relative error of the function, and the coefficients
in ascending powers.
"""
from mpmath import mp, mpf, expm1, atanh, sin, cos, sqrt, log, pi, chebyfit, polyval

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
