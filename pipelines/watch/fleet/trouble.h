/* Says once that etcd does not answer, and once that it does again, whichever thread noticed. */
#pragma once

#include "fleet/etcd.h"

typedef enum {
  TROUBLE_LEASE,
  TROUBLE_FEED,
  TROUBLE_CLAIMS,
  N_TROUBLES,
} TroubleSource;

typedef struct {
  GMutex lock;
  guint sources; /* bits: who has trouble */
  guint told;    /* bits: kinds of EtcdError that people know about */
  guint64 errors;
  char *error, *problem; /* (nullable): the last ones */
} Trouble;

void trouble_init(Trouble *self);
void trouble_clear(Trouble *self);

/* @error: (nullable): NULL: all is well
 * Returns: (transfer full) (nullable): what to tell people, or NULL */
char *trouble_set(Trouble *self, TroubleSource source, const GError *error);

/* A problem that is not etcd's.
 * Returns: as above */
char *trouble_set_problem(Trouble *self, const char *problem);

/* @errors: (out): of etcd, since the start
 * Returns: (transfer full) (nullable): what is wrong */
char *trouble_get(Trouble *self, guint64 *errors);
