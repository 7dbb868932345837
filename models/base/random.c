#include "base/random.h"

#define ROUNDS 6

/* A Feistel network permutes the numbers with twice half_bits bits. Repeating it until the result
 * is below n gives a permutation of the numbers below n. */
guint random_permute(guint64 key, guint n, guint i)
{
  const guint half_bits = (g_bit_storage(n - 1) + 1) / 2;
  const guint64 mask = (G_GUINT64_CONSTANT(1) << half_bits) - 1;
  guint64 value = i;
  do {
    guint64 left = value >> half_bits, right = value & mask;
    for (guint round = 0; round < ROUNDS; round++) {
      guint64 next = left ^ (random_key(key, round, right) & mask);
      left = right;
      right = next;
    }
    value = left << half_bits | right;
  } while (value >= n);
  return (guint)value;
}
