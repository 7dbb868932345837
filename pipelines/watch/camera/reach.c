#include "camera/reach.h"

#define TIME_LIMIT 3 /* seconds for each address of the camera */

static guint16 default_port(const CameraConfig *camera)
{
  gboolean http = g_str_has_prefix(camera->url, "http");
  if (config_uses_tls(camera))
    return http ? 443 : 322;
  return http ? 80 : 554;
}

static char *describe(const char *host, guint port, const GError *error)
{
  if (g_error_matches(error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_TEMPORARY_FAILURE))
    return g_strdup_printf("cannot look up the name %s now (is the network up?)", host);
  if (error->domain == G_RESOLVER_ERROR)
    return g_strdup_printf("no address found for the name %s (is the name right?)", host);
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
    return g_strdup_printf("cannot connect to %s, port %u: connection refused (is the port right?)",
                           host, port);
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT) ||
      g_error_matches(error, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE))
    return g_strdup_printf("cannot connect to %s, port %u: no answer (is the address right, and is "
                           "the camera on?)",
                           host, port);
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NETWORK_UNREACHABLE))
    return g_strdup_printf("cannot connect to %s, port %u: network unreachable (is this machine "
                           "on the network?)",
                           host, port);
  return g_strdup_printf("cannot connect to %s, port %u: %s", host, port, error->message);
}

char *reach_explain(const CameraConfig *camera, GCancellable *cancellable)
{
  if (!config_is_on_network(camera))
    return NULL;
  g_autoptr(GSocketConnectable) address =
      g_network_address_parse_uri(camera->url, default_port(camera), NULL);
  if (!address)
    return NULL;
  g_autoptr(GError) error = NULL;
  g_autoptr(GSocketClient) client = g_socket_client_new();
  g_socket_client_set_timeout(client, TIME_LIMIT);
  g_autoptr(GSocketConnection) connection =
      g_socket_client_connect(client, address, cancellable, &error);
  if (connection || g_cancellable_is_cancelled(cancellable))
    return NULL;
  GNetworkAddress *network = G_NETWORK_ADDRESS(address);
  return describe(g_network_address_get_hostname(network), g_network_address_get_port(network),
                  error);
}
