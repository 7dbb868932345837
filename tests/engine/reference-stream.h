/* A reference of a whole stream: the change of each patch, what follows from it, and the passes, in
 * double precision and without any regard to time. The dial is at its default. */
#pragma once

#include "reference.h"

typedef struct {
  ModelFile *file;
  const Description *description;
  ReferenceSettings dial; /* of independent passes */
  VitgateStreamOptions options;
  ReferenceCache *cache;
  double *kept, *seen; /* [patches][cells of a patch][3] */
  double *changes;     /* [patches] */
  double *ground;      /* as kept: when a patch last stood still */
  guint *calm;         /* [patches] frames that it has stood still */
  gboolean *alone;     /* [patches] it was in an update since the last pass of all */
  guint *rows;
  gboolean known, cached, stale, expired, renewed;
  guint still, age, since_renewal;
  double expected, independent;
  float *logits, *features, unknown; /* of the last result */
} ReferenceStream;

/* @dial: as in reference_forward(), for independent passes
 * Returns: (transfer full): the stream, which refers to the arguments */
ReferenceStream *reference_stream_new(ModelFile *file, const Description *description,
                                      const ReferenceSettings *dial,
                                      const VitgateStreamOptions *options);

void reference_stream_free(ReferenceStream *stream);

void reference_stream_forget(ReferenceStream *stream);

/* Checks the engine's result for the next frame: its decision, and all that was computed.
 * @what: for messages
 * Returns: FALSE if it was not checked, since a decision is so close that float32 could take the
 * other one. Then both streams must be forgotten. */
gboolean reference_stream_check(ReferenceStream *stream, const float *tensor,
                                const VitgateResult *found, const char *what);
