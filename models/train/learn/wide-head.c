#include "train/learn/wide-head.h"

#include "file/source.h"
#include "train/network/training-kernels.h"

WideHead *wide_head_load(const char *path, const Description *d, GError **error)
{
  g_autoptr(Source) source = vitgate__source_open(path, error);
  Network *network = source ? network_new(d, FALSE) : NULL;
  WideHead *head = NULL;
  if (network && network_load(network, source->file, error)) {
    head = g_new0(WideHead, 1);
    head->n = d->n_classes;
    head->dim = d->dim;
    head->weight = g_memdup2(network_at(network, network->head_weight),
                             (gsize)d->n_classes * d->dim * sizeof(real));
    head->bias = g_memdup2(network_at(network, network->head_bias), d->n_classes * sizeof(real));
  }
  network_free(&network);
  return head;
}

void wide_head_free(WideHead **head)
{
  WideHead *h = g_steal_pointer(head);
  if (!h)
    return;
  g_free(h->weight);
  g_free(h->bias);
  g_free(h);
}

void wide_head_logits(const WideHead *head, real *logits, const real *token)
{
  for (guint c = 0; c < head->n; c++)
    logits[c] = head->bias[c] + (real)training_kernels()->dot(head->weight + (gsize)c * head->dim,
                                                              token, head->dim);
}

void wide_head_backward(const WideHead *head, real *dtoken, const real *dlogits)
{
  for (guint c = 0; c < head->n; c++)
    training_kernels()->add_scaled(dtoken, dlogits[c], head->weight + (gsize)c * head->dim,
                                   head->dim);
}
