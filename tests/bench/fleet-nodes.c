/* Runs members of a fleet that watch nothing, to see how a fleet of any size divides its cameras.
 * Prints a line of JSON every two seconds: how many nodes are members, and how many cameras they
 * own.
 *
 * Usage: fleet-nodes ETCD[,ETCD…] FLEET FIRST COUNT LEASE RATE
 *   FIRST, COUNT  the nodes are called node-FIRST, node-FIRST+1, …
 *   LEASE         seconds
 *   RATE          how many are started per second */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <glib-unix.h>

#include "fleet/node.h"

#define CAPACITY 100 /* GMAC/s of a node */

static GMainLoop *loop;

typedef struct {
  GMutex lock;
  FleetNode *node; /* NULL: fleet_node_new() has not returned yet */
  guint64 serial;
} Member;

/* Nothing has to be stopped. */
static void on_changed(GPtrArray *cameras, guint64 serial, gpointer user_data)
{
  Member *self = user_data;
  g_mutex_lock(&self->lock);
  self->serial = serial;
  FleetNode *node = self->node;
  g_mutex_unlock(&self->lock);
  if (node)
    fleet_node_settled(node, serial);
}

static gboolean check(const char *name, const char *text, GError **error, gpointer user_data)
{
  return TRUE;
}

static double get_capacity(gpointer user_data)
{
  return CAPACITY;
}

static void report(const char *message, gpointer user_data)
{
  fprintf(stderr, "%s\n", message);
}

static const FleetFuncs funcs = {
  .changed = on_changed, .check = check, .capacity = get_capacity, .report = report
};

static gboolean start_node(Member *self, char **etcd, char *fleet, guint number, guint lease)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *name = g_strdup_printf("node-%u", number);
  const FleetConfig config = { .etcd = etcd, .name = fleet, .node = name, .lease = lease };
  FleetNode *node = fleet_node_new(&config, &funcs, self, &error);
  if (!node) {
    fprintf(stderr, "%s\n", error->message);
    return FALSE;
  }
  g_mutex_lock(&self->lock);
  self->node = node;
  const guint64 serial = self->serial;
  g_mutex_unlock(&self->lock);
  fleet_node_settled(node, serial);
  return TRUE;
}

static gboolean show(gpointer user_data)
{
  const GArray *members = user_data;
  guint n_members = 0, owned = 0, most = 0;
  for (guint i = 0; i < members->len; i++) {
    FleetNodeStatus status;
    fleet_node_get_status(g_array_index(members, Member, i).node, &status);
    n_members += status.member;
    owned += status.owned;
    most = MAX(most, status.owned);
    fleet_node_status_clear(&status);
  }
  printf("{\"members\":%u,\"owned\":%u,\"most\":%u}\n", n_members, owned, most);
  fflush(stdout);
  return G_SOURCE_CONTINUE;
}

static gboolean stop(gpointer user_data)
{
  g_main_loop_quit(loop);
  return G_SOURCE_REMOVE;
}

static gboolean start_all(GArray *members, char **argv)
{
  g_auto(GStrv) etcd = g_strsplit(argv[1], ",", -1);
  const guint first = (guint)atoi(argv[3]), lease = (guint)atoi(argv[5]);
  const gulong pause = G_USEC_PER_SEC / (gulong)MAX(atoi(argv[6]), 1);
  for (guint i = 0; i < members->len; i++) {
    if (i)
      g_usleep(pause);
    if (!start_node(&g_array_index(members, Member, i), etcd, argv[2], first + i, lease))
      return FALSE;
  }
  return TRUE;
}

int main(int argc, char **argv)
{
  if (argc != 7) {
    fprintf(stderr, "usage: fleet-nodes ETCD[,ETCD...] FLEET FIRST COUNT LEASE RATE\n");
    return 2;
  }
  g_autoptr(GArray) members = g_array_new(FALSE, TRUE, sizeof(Member));
  g_array_set_size(members, (guint)atoi(argv[4]));
  if (!start_all(members, argv))
    return 1;
  loop = g_main_loop_new(NULL, FALSE);
  g_timeout_add_seconds(2, show, members);
  g_unix_signal_add(SIGTERM, stop, NULL);
  g_main_loop_run(loop);
  for (guint i = 0; i < members->len; i++)
    fleet_node_free(&g_array_index(members, Member, i).node);
  g_main_loop_unref(loop);
  return 0;
}
