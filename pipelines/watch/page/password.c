#include "page/password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "config/credentials.h"

/* yescrypt that takes 32 MB and about a tenth of a second. */
#define METHOD "$y$"
#define COST   6

/* scrypt and yescrypt: others can be tried too fast. */
static const char *const methods[] = { "$y$", "$gy$", "$7$", NULL };

static gboolean fail(GError **error, const char *reason)
{
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_FAILED, reason);
  return FALSE;
}

/* Returns: (transfer full) (nullable): NULL if the hash cannot be computed */
static char *compute(const char *password, const char *setting)
{
  struct crypt_data *data = g_new0(struct crypt_data, 1);
  const char *result = crypt_rn(password, setting, data, sizeof *data);
  char *hash = g_strdup(result);
  OPENSSL_cleanse(data, sizeof *data);
  g_free(data);
  return hash;
}

char *password_hash(const char *password, GError **error)
{
  char setting[CRYPT_GENSALT_OUTPUT_SIZE];
  if (strlen(password) < PASSWORD_MIN || strlen(password) > PASSWORD_MAX) {
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                "the password needs at least %d characters, and at most %d bytes", PASSWORD_MIN,
                PASSWORD_MAX);
    return NULL;
  }
  char *hash = crypt_gensalt_rn(METHOD, COST, NULL, 0, setting, sizeof setting)
                   ? compute(password, setting)
                   : NULL;
  if (!hash)
    fail(error, "the password cannot be hashed (crypt)");
  return hash;
}

char *password_read(const char *path, GError **error)
{
  g_autofree char *text = NULL;
  if (!credentials_check_file(path, error) || !g_file_get_contents(path, &text, NULL, error))
    return NULL;
  text[strcspn(text, "\r\n")] = '\0';
  for (guint i = 0; methods[i]; i++)
    if (g_str_has_prefix(text, methods[i]) && crypt_checksalt(text) != CRYPT_SALT_INVALID)
      return g_steal_pointer(&text);
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
              "%s: expected one line with a hash of yescrypt ($y$) or scrypt ($7$), as "
              "vitgate-watch --page-password prints it",
              path);
  return NULL;
}

gboolean password_is(const char *password, const char *hash)
{
  g_autofree char *other = compute(password, hash);
  return other && strlen(other) == strlen(hash) && *other != '*' &&
         CRYPTO_memcmp(other, hash, strlen(hash)) == 0;
}

/* ---- Remembering --------------------------------------------------------------------------- */

#define SEAL_SIZE 32

struct _PasswordMemory {
  guint8 key[SEAL_SIZE], seal[SEAL_SIZE];
  gboolean usable, kept;
};

PasswordMemory *password_memory_new(void)
{
  PasswordMemory *self = g_new0(PasswordMemory, 1);
  self->usable = RAND_bytes(self->key, sizeof self->key) == 1;
  return self;
}

void password_memory_free(PasswordMemory **memory)
{
  PasswordMemory *self = *memory;
  *memory = NULL;
  if (!self)
    return;
  OPENSSL_cleanse(self, sizeof *self);
  g_free(self);
}

/* HMAC of both, with the zero between them. */
static void seal(const PasswordMemory *self, const char *password, const char *hash,
                 guint8 result[SEAL_SIZE])
{
  gsize size = SEAL_SIZE;
  GHmac *hmac = g_hmac_new(G_CHECKSUM_SHA256, self->key, sizeof self->key);
  g_hmac_update(hmac, (const guchar *)hash, (gssize)strlen(hash) + 1);
  g_hmac_update(hmac, (const guchar *)password, (gssize)strlen(password));
  g_hmac_get_digest(hmac, result, &size);
  g_hmac_unref(hmac);
}

void password_memory_keep(PasswordMemory *self, const char *password, const char *hash)
{
  if (self->usable)
    seal(self, password, hash, self->seal);
  self->kept = self->usable;
}

gboolean password_memory_has(const PasswordMemory *self, const char *password, const char *hash)
{
  guint8 other[SEAL_SIZE];
  if (!self->kept)
    return FALSE;
  seal(self, password, hash, other);
  return CRYPTO_memcmp(other, self->seal, sizeof other) == 0;
}

/* ---- Asking -------------------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): a line without its end */
static char *read_line(const char *prompt)
{
  char line[PASSWORD_MAX + 3];
  struct termios before, silent;
  const gboolean terminal = tcgetattr(STDIN_FILENO, &before) == 0;
  if (terminal) {
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    g_printerr("%s: ", prompt);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  const gboolean read = fgets(line, sizeof line, stdin) != NULL;
  if (terminal) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    g_printerr("\n");
  }
  if (!read)
    return NULL;
  line[strcspn(line, "\r\n")] = '\0';
  char *copy = g_strdup(line);
  OPENSSL_cleanse(line, sizeof line);
  return copy;
}

gboolean password_ask(GError **error)
{
  g_autofree char *password = read_line("New password of the page");
  if (!password)
    return fail(error, "expected a password on standard input");
  if (isatty(STDIN_FILENO)) {
    g_autofree char *again = read_line("Again");
    if (g_strcmp0(password, again))
      return fail(error, "the two passwords differ");
  }
  g_autofree char *hash = password_hash(password, error);
  if (!hash)
    return FALSE;
  g_print("%s\n", hash);
  return TRUE;
}
