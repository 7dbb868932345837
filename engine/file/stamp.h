/* Distinguishes states of a file on disk without reading it. */
#pragma once

#include <glib.h>
#include <sys/stat.h>

/* All zeros: there is no such file. */
typedef struct {
  dev_t device;
  ino_t inode;
  off_t size;
  struct timespec written, changed; /* changed differs even if a writer set written back */
} FileStamp;

static inline FileStamp vitgate__stamp_of(const struct stat *status)
{
  return (FileStamp){ status->st_dev, status->st_ino, status->st_size, status->st_mtim,
                      status->st_ctim };
}

static inline gboolean vitgate__same_time(struct timespec a, struct timespec b)
{
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Returns: whether both are the same file, unchanged */
static inline gboolean vitgate__stamp_equal(FileStamp a, FileStamp b)
{
  return a.device == b.device && a.inode == b.inode && a.size == b.size &&
         vitgate__same_time(a.written, b.written) && vitgate__same_time(a.changed, b.changed);
}

/* Returns: whether nothing was written to the file in between. A file that was only renamed or
 * unlinked has a different stamp but the same contents. */
static inline gboolean vitgate__stamp_same_contents(FileStamp a, FileStamp b)
{
  return a.size == b.size && vitgate__same_time(a.written, b.written);
}
