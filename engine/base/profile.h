/* Measures where the time of an inference goes: vitgate bench --parts. The code of the engine marks
 * which part begins; outside a measurement a mark is one read of a variable. */
#pragma once

#include <glib.h>

typedef enum {
  PART_OTHER, /* everything without a mark */
  PART_PREPROCESS,
  PART_PATCHES,  /* gathering, position embeddings, the stem; not their products */
  PART_NORM,     /* LayerNorm */
  PART_CONVERT,  /* float32 to the product's operands, such as int8 */
  PART_PRODUCTS, /* of layers */
  PART_FC1,      /* the products before GELU; in int8 with it */
  PART_GELU,     /* in float32 and bf16 */
  PART_PACK,     /* keys and values */
  PART_SCORES,
  PART_SOFTMAX, /* with the conversion of its result in int8 */
  PART_VALUES,
  PART_MERGING,
  PART_GATES, /* decisions, gathering and scattering of rows; not their products */
  PART_HEAD,  /* the mean, the classes and the unknown score */
  N_PARTS
} ProfilePart;

typedef struct {
  gint64 ns[N_PARTS];
  double macs[N_PARTS]; /* multiply-adds of products */
  gint64 since;         /* start of the current part */
  ProfilePart part;
} Profile;

/* The measurement of this process; NULL: none. It is not a variable of each thread: with those,
 * clang's LeakSanitizer crashes in plugins. */
extern Profile *vitgate__profile;

/* Starts to measure. Until vitgate__profile_stop(), @profile must live, and only this thread may
 * use the engine. */
void vitgate__profile_start(Profile *profile);

/* Adds the time of the current part, and ends the measurement. */
void vitgate__profile_stop(void);

/* The slow path of vitgate__profile_part(). */
ProfilePart vitgate__profile_switch(ProfilePart part);

/* Begins a part.
 * Returns: the part before, to be begun again afterwards */
static inline ProfilePart vitgate__profile_part(ProfilePart part)
{
  return G_UNLIKELY(vitgate__profile) ? vitgate__profile_switch(part) : PART_OTHER;
}

/* Counts the multiply-adds of a product [rows][n] of rows with k values in the current part. */
static inline void vitgate__profile_product(guint rows, guint n, guint k)
{
  if (G_UNLIKELY(vitgate__profile))
    vitgate__profile->macs[vitgate__profile->part] += (double)rows * n * k;
}

/* Returns: the name of a part, for people */
const char *vitgate__profile_name(ProfilePart part);
