/* The password of the page, as a hash in a file, which crypt(5) describes. */
#pragma once

#include <gio/gio.h>

/* Minimum and maximum length of a new password, bytes. */
#define PASSWORD_MIN 8
#define PASSWORD_MAX 512

/* Makes the hash of a new password. It takes part of a second, and much memory.
 * Returns: (transfer full) (nullable): NULL with an error */
char *password_hash(const char *password, GError **error);

/* Reads the file's hash.
 * Returns: (transfer full) (nullable): NULL with an error that names the file */
char *password_read(const char *path, GError **error);

/* Compares a password with a hash, in constant time. It takes part of a second.
 * Returns: whether it is the password */
gboolean password_is(const char *password, const char *hash);

/* Remembers the last right password of clients that send it each time: as a hash that takes
 * no time, with a random key of the program, and only in memory. */
typedef struct _PasswordMemory PasswordMemory;

PasswordMemory *password_memory_new(void);

/* *@self may be NULL. */
void password_memory_free(PasswordMemory **self);

/* @hash: what @password was compared with */
void password_memory_keep(PasswordMemory *self, const char *password, const char *hash);

/* Compares in constant time.
 * Returns: whether both are those that were kept last */
gboolean password_memory_has(const PasswordMemory *self, const char *password, const char *hash);

/* Asks for a new password on the terminal, twice, or reads a line of standard input, and prints its
 * hash. */
gboolean password_ask(GError **error);
