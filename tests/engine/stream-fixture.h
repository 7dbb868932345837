/* A small model with a dial, token gates and a module gate, and frames for its streams. */
#pragma once

#include "file/description.h"
#include "fixture.h"

enum { STREAM_SIDE = 7, STREAM_PATCHES = 49, STREAM_TOKENS = 50, STREAM_SIZE = 28 };
enum { STREAM_IMAGE = 3 * STREAM_SIZE * STREAM_SIZE, STREAM_CLASSES = 3, STREAM_MODULES = 8 };

/* Patch in the middle. */
#define STREAM_MIDDLE 24

extern const Description stream_description;

extern const VitgatePrecision stream_precisions[3];

/* Opens the model. Tokens merge at its dial's minimum of .2, not at the default of .8.
 * Returns: (transfer full) (nullable): NULL if the machine has no products of this precision */
VitgateModel *stream_model(VitgatePrecision precision);

/* Returns: the defaults, and eager */
VitgateStreamOptions stream_eager(void);

/* Returns: (transfer full) */
VitgateStream *stream_new(VitgateModel *model, const VitgateStreamOptions *options);

/* Adds @change, a share of full scale, to all pixels of patch @p. */
void stream_change_patch(float *tensor, guint p, float change);

/* Classifies the next frame of a stream. */
const VitgateResult *stream_follow(VitgateSession *session, VitgateStream *stream,
                                   const float *tensor);

/* Checks that a result is that of a session that saw nothing else, bit by bit. */
void stream_check_alone(VitgateModel *model, const VitgateResult *result, const float *tensor);

/* Checks the names of a result's pass and reason. */
#define assert_decision(result, how, why)                                                          \
  do {                                                                                             \
    const VitgateDecision *found = (result)->decision;                                             \
    ck_assert_str_eq(vitgate_pass_name(found->pass), how);                                         \
    ck_assert_str_eq(vitgate_reason_name(found->reason), why);                                     \
  } while (0)
