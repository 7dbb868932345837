/* The group [page] of the key file. */
#pragma once

#include "config/config-key.h"

#define NO_PAGE "this vitgate-watch was built without the page (libsoup-3.0 is missing)"

typedef struct {
  char *listen;                    /* as written */
  char *address;                   /* numeric */
  guint port;                      /* 0: any */
  gboolean loopback;               /* only this machine can connect */
  char **hosts;                    /* (nullable): names of this machine that a browser may use */
  char *password_file;             /* (nullable): file with a hash */
  char *certificate, *private_key; /* (nullable): PEM files */
  char *folder;
  guint64 snapshots; /* maximum size of all snapshots, bytes; 0: none */
} PageConfig;

/* Reads the group.
 * @page: (out) (transfer full) (nullable): NULL without the group
 * @log: (nullable): path of the log, beside which the default folder is */
gboolean page_config_read(PageConfig **page, const KeySource *source, const char *log,
                          GError **error);

/* Returns: (transfer full) */
PageConfig *page_config_copy(const PageConfig *self);

/* Returns: whether all keys of @a and @b are the same; both may be NULL */
gboolean page_config_equal(const PageConfig *a, const PageConfig *b);

/* @self: (nullable) */
void page_config_free(PageConfig *self);
