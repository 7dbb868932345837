/* Shared by the tests of the float32 kernels. */
#pragma once

#include "fixture.h"
#include "guarded.h"
#include "kernels/kernels.h"

/* Maximum relative error of one rounding: half the distance from 1 to the next float. */
#define ROUNDING 0x1p-24

#define FOR_ALL_KERNELS(k)                                                                         \
  for (const Kernels *const *table_ = vitgate__kernels_all(), *k; (k = *table_); table_++)

static inline float *place(Guarded *guarded, gsize n, GuardedPlace where)
{
  return guarded_place(guarded, n * sizeof(float), where);
}
