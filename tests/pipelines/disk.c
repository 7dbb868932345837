#include "disk.h"

#include <check.h>
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_FILES 64

static struct {
  ino_t inode;
  guint64 size;
} synced[MAX_FILES];
static guint n_synced;
static GMutex lock;
static gboolean no_truncation;

static guint find_synced(ino_t inode)
{
  guint i = 0;
  while (i < n_synced && synced[i].inode != inode)
    i++;
  return i;
}

int fdatasync(int fd)
{
  struct stat status;
  ck_assert_int_eq(fstat(fd, &status), 0);
  g_mutex_lock(&lock);
  guint i = find_synced(status.st_ino);
  ck_assert_uint_lt(i, MAX_FILES);
  n_synced = MAX(n_synced, i + 1);
  synced[i].inode = status.st_ino;
  synced[i].size = (guint64)status.st_size;
  g_mutex_unlock(&lock);
  return (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t length)
{
  if (!no_truncation)
    return (int)syscall(SYS_ftruncate, fd, length);
  errno = EIO;
  return -1;
}

guint64 disk_synced(const char *path)
{
  struct stat status;
  ck_assert_int_eq(stat(path, &status), 0);
  g_mutex_lock(&lock);
  guint i = find_synced(status.st_ino);
  guint64 size = i < n_synced ? synced[i].size : 0;
  g_mutex_unlock(&lock);
  return size;
}

void disk_fail_truncation(gboolean fail)
{
  no_truncation = fail;
}
