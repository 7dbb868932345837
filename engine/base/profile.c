#include "base/profile.h"

#include <time.h>

Profile *vitgate__profile;

static gint64 now_ns(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (gint64)t.tv_sec * 1000000000 + t.tv_nsec;
}

void vitgate__profile_start(Profile *profile)
{
  profile->part = PART_OTHER;
  profile->since = now_ns();
  vitgate__profile = profile;
}

void vitgate__profile_stop(void)
{
  vitgate__profile_switch(PART_OTHER);
  vitgate__profile = NULL;
}

ProfilePart vitgate__profile_switch(ProfilePart part)
{
  Profile *profile = vitgate__profile;
  const ProfilePart before = profile->part;
  const gint64 now = now_ns();
  profile->ns[before] += now - profile->since;
  profile->part = part;
  profile->since = now;
  return before;
}

const char *vitgate__profile_name(ProfilePart part)
{
  static const char *const names[N_PARTS] = {
    [PART_OTHER] = "other",     [PART_PREPROCESS] = "preprocessing",
    [PART_PATCHES] = "patches", [PART_NORM] = "norm",
    [PART_CONVERT] = "convert", [PART_PRODUCTS] = "products",
    [PART_FC1] = "fc1",         [PART_GELU] = "gelu",
    [PART_PACK] = "packing",    [PART_SCORES] = "scores",
    [PART_SOFTMAX] = "softmax", [PART_VALUES] = "values",
    [PART_MERGING] = "merging", [PART_GATES] = "gates",
    [PART_HEAD] = "head",
  };
  return names[part];
}
