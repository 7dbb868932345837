/* Polynomials that approximate exp and the normal distribution, in the engine and the trainer.
 *
 * They are macros that work on floats and on GCC's vectors of floats, and evaluate their arguments
 * more than once. tests/engine/kernels/fit_kernels.py computes the coefficients. Each error is the
 * maximum over all arguments: in exact arithmetic, in float32, and in float32 with fused
 * multiply-adds. */
#pragma once

/* The sum of c_i x^i, c_0 first, by Horner's rule. */
#define POLYNOMIAL_1(x, c0, c1)  ((x) * (c1) + (c0))
#define POLYNOMIAL_2(x, c0, ...) (POLYNOMIAL_1(x, __VA_ARGS__) * (x) + (c0))
#define POLYNOMIAL_3(x, c0, ...) (POLYNOMIAL_2(x, __VA_ARGS__) * (x) + (c0))
#define POLYNOMIAL_4(x, c0, ...) (POLYNOMIAL_3(x, __VA_ARGS__) * (x) + (c0))
#define POLYNOMIAL_5(x, c0, ...) (POLYNOMIAL_4(x, __VA_ARGS__) * (x) + (c0))
#define POLYNOMIAL_6(x, c0, ...) (POLYNOMIAL_5(x, __VA_ARGS__) * (x) + (c0))

#define POLYNOMIAL_7(x, c0, ...) (POLYNOMIAL_6(x, __VA_ARGS__) * (x) + (c0))

/* ---- exp(x) = 2^i exp(r), where i is the integer nearest to x / ln 2 and r = x - i ln 2 ---- */

/* Up to this |x|, 2^i is a normal float; exp(x) has a relative error of 1.2e-7, fused 9e-8. */
#define EXP_LIMIT 87.0f

/* 1.5 * 2^23: added to a number below 2^22, it leaves the nearest integer in the low bits. */
#define EXP_SHIFT 12582912.0f

#define LOG2_E 1.442695041f
#define LN_2   0.693147181f

/* ln 2 = LN2_HIGH - LN2_LOW; the product of i and LN2_HIGH is exact. */
#define LN2_HIGH 0.693359375f
#define LN2_LOW  2.12194440e-4f

/* exp(r) for |r| <= ln 2 / 2; relative error 1.8e-8, in float32 1.0e-7, fused 8e-8. */
#define EXP_POLYNOMIAL(r)                                                                          \
  POLYNOMIAL_6(r, 1.0f, 1.000000036e+00f, 4.999999208e-01f, 1.666642017e-01f, 4.166822557e-02f,    \
               8.374815803e-03f, 1.383684574e-03f)

/* ---- Phi(x) = 1/2 + x P(u) / Q(u), u = x^2; error 1.3e-8, in float32 2.3e-7, fused 1.9e-7 ---- */

/* Beyond this |x|, Phi(x) is 0 or 1 within 2e-8. */
#define PHI_LIMIT 5.5f

#define PHI_P(u)                                                                                   \
  POLYNOMIAL_5(u, 3.989422346e-01f, 3.385264525e-02f, 4.677259667e-03f, 1.688255398e-04f,          \
               6.352106637e-06f, 2.274934381e-08f)
#define PHI_Q(u)                                                                                   \
  POLYNOMIAL_5(u, 1.0f, 2.515219162e-01f, 2.864586856e-02f, 1.884444104e-03f, 7.364740513e-05f,    \
               1.197502463e-06f)

/* ---- GELU for values then quantised to 8 bits: x Phi(x) = max(x, 0) + t P(t), t = |x| ----
 *
 * Error 1.2e-4, a hundredth of a step if values reach 3. It takes half as many multiplications as
 * the formula above, and no division. */

/* Beyond this t, t P(t) keeps the value that it has here: nearly 0. */
#define COARSE_GELU_LIMIT 3.9f

#define COARSE_GELU_P(t)                                                                           \
  POLYNOMIAL_7(t, -4.969637776e-01f, 3.727711818e-01f, 7.600684485e-02f, -1.698634867e-01f,        \
               7.222140215e-02f, -1.390983608e-02f, 1.208225370e-03f, -3.251365008e-05f)

/* ---- The same from a table, for instruction sets that look up a lane in one instruction ----
 *
 * x Phi(x) = x / 2 + c0 + c1 t + c2 t^2, t = |x|, with coefficients for each of 16 segments. The
 * middles of the segments are the multiples of 1 / GELU_SEGMENTS_PER_UNIT; the last one has no end.
 * Error 9.4e-5. */
#define GELU_SEGMENTS          16
#define GELU_SEGMENTS_PER_UNIT 3.717948718e+00f

#define GELU_SEGMENTS_C0                                                                           \
  0.000000000e+00f, -8.476838874e-04f, -1.380856318e-02f, -5.962332928e-02f, -1.474893619e-01f,    \
      -2.612124079e-01f, -3.650488355e-01f, -4.238042902e-01f, -4.213896495e-01f,                  \
      -3.659741026e-01f, -2.813708698e-01f, -1.933343637e-01f, -1.195624554e-01f,                  \
      -6.690438860e-02f, -3.401647441e-02f, -9.378787083e-05f
#define GELU_SEGMENTS_C1                                                                           \
  1.104806294e-04f, 9.783815304e-03f, 7.189330690e-02f, 2.072165239e-01f, 3.941083985e-01f,        \
      5.830036348e-01f, 7.245950287e-01f, 7.928250168e-01f, 7.910614868e-01f, 7.428373140e-01f,    \
      6.766170437e-01f, 6.141555225e-01f, 5.663195276e-01f, 5.348872376e-01f, 5.167028695e-01f,    \
      5.000000000e-01f
#define GELU_SEGMENTS_C2                                                                           \
  3.970116910e-01f, 3.695887752e-01f, 2.945890829e-01f, 1.943402023e-01f, 9.479342982e-02f,        \
      1.627612289e-02f, -3.202232542e-02f, -5.183619276e-02f, -5.155555020e-02f,                   \
      -4.106146393e-02f, -2.810063394e-02f, -1.701955037e-02f, -9.263799209e-03f,                  \
      -4.572632032e-03f, -2.058750568e-03f, 0.000000000e+00f

/* ---- 2^x for values then quantised to 8 bits: 2^i 2^f, |f| <= 1/2; relative error 7.6e-5 ---- */

/* Beyond this -x, 2^x is 0 in 8 bits. */
#define COARSE_EXP2_LIMIT 30.0f

#define COARSE_EXP2_POLYNOMIAL(f)                                                                  \
  POLYNOMIAL_3(f, 9.999280735e-01f, 6.932609857e-01f, 2.426111221e-01f, 5.517166802e-02f)
