/* What streams and experiments see of a session. */
#pragma once

#include "network/kv-cache.h"
#include "network/vit.h"
#include "vitgate.h"

const Dial *vitgate__session_get_dial(const VitgateSession *session);

/* Returns: (transfer none) */
VitgateModel *vitgate__session_get_model(const VitgateSession *session);

/* Returns: (transfer none): [max_batch] the results of the last call, to be overwritten */
VitgateResult *vitgate__session_get_results(VitgateSession *session);

/* Returns: whether results have patches */
gboolean vitgate__session_records_patches(const VitgateSession *session);

/* Returns: FALSE with VITGATE_ERROR_ARGUMENT if @n_images is not from 1 to max_batch */
gboolean vitgate__session_check_batch(const VitgateSession *session, guint n_images,
                                      GError **error);

/* Returns: whether the stream's last frame was unchanged, so that the next one may have the very
 * same pixels */
gboolean vitgate__stream_stands_still(const VitgateStream *stream);

/* Classifies an image as the session's image number @i, below max_batch. */
void vitgate__session_run_alone(VitgateSession *session, const float *tensor, guint i);

/* The fields of VitSettings. */
typedef struct {
  KvCache *cache;
  const guint *rows;
  guint n_rows;
} CachedPass;

/* The same with a cache, and without merging. */
void vitgate__session_continue(VitgateSession *session, const CachedPass *pass, const float *tensor,
                               guint i);

/* Makes the token gates of later calls decide by other logits than the image's own. The control
 * starts without any image. */
void vitgate__session_set_gate_control(VitgateSession *session, LogitControlKind kind);
