/* Shared by the tests of the int8 kernels. */
#pragma once

#include "fixture.h"
#include "kernels/int8.h"

#define FOR_ALL_KERNELS(k)                                                                         \
  for (const Int8Kernels *const *table_ = vitgate__int8_kernels_all(), *k; (k = *table_); table_++)

/* Quantised values are bytes in some tables and words in others. */
static inline gint value_at(const Int8Kernels *kernels, gconstpointer q, gsize i)
{
  return kernels->value_size == 1 ? ((const guint8 *)q)[i] : ((const gint16 *)q)[i];
}

static inline void set_value(const Int8Kernels *kernels, gpointer q, gsize i, guint8 value)
{
  if (kernels->value_size == 1)
    ((guint8 *)q)[i] = value;
  else
    ((gint16 *)q)[i] = value;
}
