"""Computes the coefficients of the polynomials in engine/kernels/polynomials.h.

It fits weighted least squares on Chebyshev nodes and reweights them (Lawson) until the error is
level. Rational functions use Sanathanan-Koerner iteration. It prints the largest error in double
precision.
"""
import math

import numpy as np


def nodes(low, high, n=4000):
    k = np.arange(n)
    return (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (k + 0.5) / n)


def fit(x, target, scale, numerator, denominator, rounds=400):
    """Fits target(x) by scale(x) * P(x)/Q(x), Q(0) = 1; returns (P, Q, largest error)."""
    weights, q = np.ones_like(x), np.ones_like(x)
    best = (None, None, np.inf)
    for _ in range(rounds):
        columns = [scale * x**i / q for i in range(numerator + 1)]
        columns += [-target * x**i / q for i in range(1, denominator + 1)]
        w = np.sqrt(weights)
        norm = [np.abs(c).max() for c in columns]
        matrix = np.stack([c / n * w for c, n in zip(columns, norm)], 1)
        solution = np.linalg.lstsq(matrix, target / q * w, rcond=None)[0] / norm
        p = solution[:numerator + 1]
        d = np.concatenate([[1.0], solution[numerator + 1:]])
        q = np.polyval(d[::-1], x)
        error = np.abs(scale * np.polyval(p[::-1], x) / q - target)
        if error.max() < best[2]:
            best = (p, d, error.max())
        weights *= error / error.mean() + 1e-3
        weights /= weights.mean()
    return best


def show(name, coefficients):
    print(name, ', '.join(f'{c:.9e}f' for c in coefficients))


# exp(r) on [-ln2/2, ln2/2], relative error.
r = nodes(-math.log(2) / 2, math.log(2) / 2)
p, _, _ = fit(r, np.ones_like(r), np.exp(-r), 6, 0)
show('exp', p)
print('largest relative error', np.abs(np.polyval(p[::-1], r) * np.exp(-r) - 1).max())

# Normal distribution: Phi(x) - 1/2 = x * P(x^2)/Q(x^2) for 0 <= x <= LIMIT.
LIMIT = 5.5
x = nodes(0, LIMIT)
phi = np.array([0.5 * math.erf(v / math.sqrt(2)) for v in x])
for n, d in ((4, 4), (5, 4), (5, 5)):
    p, q, error = fit(x * x, phi, x, n, d)
    show('gelu P', p)
    show('gelu Q', q)
    ulp = np.float32
    u = (x * x).astype(ulp)
    num = np.zeros_like(u)
    for c in p[::-1]:
        num = num * u + ulp(c)
    den = np.zeros_like(u)
    for c in q[::-1]:
        den = den * u + ulp(c)
    y = x.astype(ulp) * num / den
    print('degrees', n, d, 'largest error of Phi', error, 'in float32', np.abs(y - phi).max())

# Coarse GELU: -t Phi(-t) = t * P(t) for 0 <= t <= LIMIT. Beyond LIMIT the value is kept.
LIMIT = 3.9
t = nodes(0, LIMIT)
tail = np.array([-v * 0.5 * math.erfc(v / math.sqrt(2)) for v in t])
p, _, error = fit(t, tail, t, 7, 0)
show('coarse gelu', p)
beyond = np.linspace(LIMIT, 10, 1000)
last = LIMIT * np.polyval(p[::-1], LIMIT)
print('largest error', error, 'beyond the limit',
      max(abs(last + v * 0.5 * math.erfc(v / math.sqrt(2))) for v in beyond))

# 2^f on [-1/2, 1/2], relative error.
f = nodes(-0.5, 0.5)
p, _, _ = fit(f, np.ones_like(f), np.exp2(-f), 3, 0)
show('coarse exp2', p)
print('largest relative error', np.abs(np.polyval(p[::-1], f) * np.exp2(-f) - 1).max())

# GELU by segments: x Phi(x) = x / 2 + c0 + c1 t + c2 t^2, t = |x|, in segments whose middles are the
# multiples of WIDTH. The first is 0 at 0. The last one has no end: there GELU is 0 or x, but for half
# of the error at its start.
SEGMENTS = 16
WIDTH = 3.9 / (SEGMENTS - 1.5)


def even_part(t):
    return np.array([v * (0.5 * math.erfc(-v / math.sqrt(2)) - 0.5) for v in t])


segments, errors = [], []
for k in range(SEGMENTS):
    low, high = max((k - 0.5) * WIDTH, 0), (k + 0.5) * WIDTH
    t = nodes(low, high if k + 1 < SEGMENTS else 10)
    if k == 0:
        c = [0, *fit(t, even_part(t), t, 1, 0)[0]]
    elif k + 1 < SEGMENTS:
        c = fit(t, even_part(t), np.ones_like(t), 2, 0)[0]
    else:
        c = [(even_part([low])[0] - low / 2) / 2, 0.5, 0]
    segments.append(c)
    errors.append(np.abs(np.polyval(c[::-1], t) - even_part(t)).max())
for n in range(3):
    show(f'gelu segments c{n}', [c[n] for c in segments])
print('segments per unit', f'{1 / WIDTH:.9e}f', 'largest error', max(errors))
