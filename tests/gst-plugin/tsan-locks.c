/* tsan-locks.c: shows GLib's mutexes and conditions to ThreadSanitizer. GLib is built without the
 * sanitizer and uses futexes of its own, so that data guarded by them looks unguarded. Linked into
 * the tests if they are built with -Db_sanitize=thread. */
#include <dlfcn.h>
#include <glib.h>

#define EXPORT __attribute__((visibility("default")))

void __tsan_acquire(void *address);
void __tsan_release(void *address);

static void (*real_lock)(GMutex *);
static void (*real_unlock)(GMutex *);
static gboolean (*real_trylock)(GMutex *);
static void (*real_wait)(GCond *, GMutex *);
static gboolean (*real_wait_until)(GCond *, GMutex *, gint64);

__attribute__((constructor)) static void find(void)
{
  real_lock = dlsym(RTLD_NEXT, "g_mutex_lock");
  real_unlock = dlsym(RTLD_NEXT, "g_mutex_unlock");
  real_trylock = dlsym(RTLD_NEXT, "g_mutex_trylock");
  real_wait = dlsym(RTLD_NEXT, "g_cond_wait");
  real_wait_until = dlsym(RTLD_NEXT, "g_cond_wait_until");
}

EXPORT void g_mutex_lock(GMutex *mutex)
{
  if (!real_lock) /* called from a library's constructor, before find() */
    find();
  real_lock(mutex);
  __tsan_acquire(mutex);
}

EXPORT void g_mutex_unlock(GMutex *mutex)
{
  __tsan_release(mutex);
  real_unlock(mutex);
}

EXPORT gboolean g_mutex_trylock(GMutex *mutex)
{
  const gboolean locked = real_trylock(mutex);

  if (locked)
    __tsan_acquire(mutex);
  return locked;
}

EXPORT void g_cond_wait(GCond *cond, GMutex *mutex)
{
  __tsan_release(mutex);
  real_wait(cond, mutex);
  __tsan_acquire(mutex);
}

EXPORT gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end)
{
  gboolean signalled;

  __tsan_release(mutex);
  signalled = real_wait_until(cond, mutex, end);
  __tsan_acquire(mutex);
  return signalled;
}
