/* Controls for experiments: token gates decide by other logits than the image's own, to measure
 * what the gates' knowledge of the image is worth. */
#pragma once

#include "network/vit-work.h"

typedef enum {
  GATE_CONTROL_NONE,
  GATE_CONTROL_RANDOM,   /* the image's own logits, permuted among its patch tokens */
  GATE_CONTROL_SHUFFLED, /* the logits of the image before; the first image keeps its own */
  GATE_CONTROL_POSITION, /* the mean of the logits at a position over all images up to this one */
  GATE_CONTROL_N_KINDS
} GateControlKind;

typedef struct _GateControl GateControl;

/* Returns: (transfer full) (nullable): a control that has seen no image yet; NULL for
 * GATE_CONTROL_NONE */
GateControl *vitgate__gate_control_new(GateControlKind kind, const Description *description);

/* Frees *@control and sets it to NULL. *@control may be NULL. */
void vitgate__gate_control_free(GateControl **control);

/* Replaces the token_logits of a module. If images have merged to different numbers of tokens, the
 * position of a token is its index divided by their number. The permutation depends only on the
 * module and on the number of images before.
 * @images: [n_images], the next images of the session */
void vitgate__gate_control_apply(GateControl *control, ImageState *images, guint n_images,
                                 guint module, guint n_prefix);
