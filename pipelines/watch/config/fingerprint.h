/* Fingerprints of certificates: SHA-256 of the DER form, as 64 hexadecimal digits, which colons may
 * separate: "openssl x509 -noout -fingerprint -sha256" writes them so. */
#pragma once

#include <glib.h>

/* Returns: (transfer full) (nullable): 64 lower-case digits; NULL if @text is no fingerprint */
char *fingerprint_parse(const char *text);

/* Returns: (transfer full): of a certificate in DER form, as fingerprint_parse() returns it */
char *fingerprint_of(const guint8 *der, gsize length);

/* Returns: (transfer full): upper-case digits with colons */
char *fingerprint_format(const char *digits);
