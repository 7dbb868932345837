/* Random numbers that depend only on a seed, a purpose and a number, such as that of a draw. They
 * are the same in any order, on any thread and after a run is resumed. The generator is SplitMix64
 * (Steele, Lea, Flood 2014). */
#pragma once

#include <glib.h>
#include <math.h>

typedef struct {
  guint64 state;
} Random;

/* Mixes bits. It is a bijection whose outputs show no pattern of the inputs. */
static inline guint64 random_mix(guint64 x)
{
  x = (x ^ (x >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

/* Returns: a key for use number @number of @purpose */
static inline guint64 random_key(guint64 seed, guint64 purpose, guint64 number)
{
  return random_mix(random_mix(random_mix(seed) + purpose) + number);
}

static inline guint64 random_next(Random *random)
{
  random->state += G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
  return random_mix(random->state);
}

/* Returns: 0 to below 1 */
static inline double random_unit(Random *random)
{
  return (double)(random_next(random) >> 11) * 0x1p-53;
}

static inline double random_between(Random *random, double low, double high)
{
  return low + random_unit(random) * (high - low);
}

/* Returns: a sample of the standard normal distribution (Box and Muller 1958) */
static inline double random_normal(Random *random)
{
  const double length = sqrt(-2 * log(1 - random_unit(random)));
  return length * cos(2 * G_PI * random_unit(random));
}

/* Returns: 0 to below @n */
static inline guint random_below(Random *random, guint n)
{
  return (guint)(((random_next(random) >> 32) * n) >> 32);
}

/* Returns: the place of @i, which must be below @n, in the permutation of 0 … @n - 1 given by
 * @key */
guint random_permute(guint64 key, guint n, guint i);
