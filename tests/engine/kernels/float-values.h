/* What tests of the float32 kernels share: arrays of numbers, and the tables. */
#pragma once

#include "fixture.h"
#include "guarded.h"
#include "kernels/kernels.h"

/* Half the distance from 1 to the next float: what one rounding may lose, relatively. */
#define ROUNDING 0x1p-24

#define FOR_ALL_KERNELS(k)                                                                         \
  for (const Kernels *const *table_ = vitgate__kernels_all(), *k; (k = *table_); table_++)

static inline float *place(Guarded *guarded, gsize n, GuardedPlace where)
{
  return guarded_place(guarded, n * sizeof(float), where);
}
