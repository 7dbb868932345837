/* Matrix products of the trainer: in float32, or in bfloat16 with float32 sums where the CPU has
 * instructions for it, through the engine's kernels. */
#pragma once

#include "train/network/real.h"

/* A matrix [rows][columns] in memory, row-major; as its transpose where @transposed is set. */
typedef struct {
  const real *data;
  gsize stride; /* between rows in memory */
  gboolean transposed;
  const void *packed; /* (nullable): from matmul_pack(), for right operands used again */
} Operand;

/* One thread's memory for operands on their way into the kernels. */
typedef struct _MatmulScratch MatmulScratch;

/* Whether this machine multiplies bfloat16 matrices. */
gboolean matmul_has_bf16(void);

/* Whether it does so faster than those of float32. */
gboolean matmul_prefers_bf16(void);

/* @bf16: round operands to bfloat16; needs matmul_has_bf16() */
MatmulScratch *matmul_scratch_new(gboolean bf16);
void matmul_scratch_free(MatmulScratch **scratch);

/* Makes room for products of up to a[m][k] b[k][n]; n is 0 if b is packed. matmul() allocates
 * nothing.
 * Returns: FALSE if out of memory */
gboolean matmul_scratch_reserve(MatmulScratch *scratch, guint m, guint n, guint k);

/* out[m][n] = (accumulate ? out : 0) + bias + a[m][k] b[k][n]; bias: NULL or [n] */
void matmul(MatmulScratch *scratch, real *out, gsize out_stride, Operand a, Operand b,
            const real *bias, gboolean accumulate, guint m, guint n, guint k);

/* Bytes that a packed [k][n] matrix takes. */
gsize matmul_packed_size(const MatmulScratch *scratch, guint n, guint k);

/* Arranges the right operand b[k][n] for several products. */
void matmul_pack(const MatmulScratch *scratch, void *packed, Operand b, guint n, guint k);
