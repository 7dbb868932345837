/* The trainer's matrix products, computed by the engine's kernels: in float32, or in bfloat16 with
 * float32 sums if the CPU has instructions for that. */
#pragma once

#include "train/network/real.h"

/* A row-major matrix [rows][columns] in memory, used as its transpose if @transposed is set. */
typedef struct {
  const real *data;
  gsize stride; /* between rows in memory */
  gboolean transposed;
  const void *packed; /* (nullable): from matmul_pack(), for right operands used repeatedly */
} Operand;

/* One thread's memory for converting operands into the form that the kernels read. */
typedef struct _MatmulScratch MatmulScratch;

/* Returns: whether this machine can multiply bfloat16 matrices */
gboolean matmul_has_bf16(void);

/* Returns: whether it does so faster than in float32 */
gboolean matmul_prefers_bf16(void);

/* @bf16: round operands to bfloat16; requires matmul_has_bf16() */
MatmulScratch *matmul_scratch_new(gboolean bf16);
void matmul_scratch_free(MatmulScratch **scratch);

/* Makes room for products of up to a[m][k] b[k][n]; pass n = 0 if b is packed. matmul() itself
 * allocates nothing.
 * Returns: FALSE if out of memory */
gboolean matmul_scratch_reserve(MatmulScratch *scratch, guint m, guint n, guint k);

/* Computes out[m][n] = (accumulate ? out : 0) + bias + a[m][k] b[k][n]; bias: NULL or [n] */
void matmul(MatmulScratch *scratch, real *out, gsize out_stride, Operand a, Operand b,
            const real *bias, gboolean accumulate, guint m, guint n, guint k);

/* Returns: bytes that a packed [k][n] matrix takes */
gsize matmul_packed_size(const MatmulScratch *scratch, guint n, guint k);

/* Packs the right operand b[k][n] for use in several products. */
void matmul_pack(const MatmulScratch *scratch, void *packed, Operand b, guint n, guint k);
