#include "base/certificate-faults.h"

char *certificate_faults(GTlsCertificateFlags flags)
{
  static const struct {
    GTlsCertificateFlags flag;
    const char *fault;
  } faults[] = {
    { G_TLS_CERTIFICATE_BAD_IDENTITY, "it belongs to another host name" },
    { G_TLS_CERTIFICATE_EXPIRED, "it has expired" },
    { G_TLS_CERTIFICATE_NOT_ACTIVATED, "it is not valid yet" },
    { G_TLS_CERTIFICATE_REVOKED, "it was revoked" },
    { G_TLS_CERTIFICATE_INSECURE, "its algorithm is insecure" },
    { G_TLS_CERTIFICATE_UNKNOWN_CA, "no known authority signed it" },
  };
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < G_N_ELEMENTS(faults); i++)
    if (flags & faults[i].flag)
      g_string_append_printf(text, "%s%s", text->len ? ", " : "", faults[i].fault);
  if (!text->len)
    g_string_append(text, "it is invalid");
  return g_string_free(text, FALSE);
}
