/* Controls for experiments: token gates decide by other logits than the image's own, to measure
 * what the gates' knowledge of the image is worth. */
#pragma once

#include "network/vit-work.h"

typedef enum {
  LOGIT_CONTROL_NONE,
  LOGIT_CONTROL_RANDOM,   /* the image's own logits, permuted among its patch tokens */
  LOGIT_CONTROL_SHUFFLED, /* the logits of the image before; the first image keeps its own */
  LOGIT_CONTROL_POSITION, /* the mean of the logits at a position over all images up to this one */
  LOGIT_CONTROL_N_KINDS
} LogitControlKind;

typedef struct _LogitControl LogitControl;

/* Returns: (transfer full) (nullable): a control that has seen no image yet; NULL for
 * LOGIT_CONTROL_NONE */
LogitControl *vitgate__logit_control_new(LogitControlKind kind, const Description *description);

/* Frees *@control and sets it to NULL. *@control may be NULL. */
void vitgate__logit_control_free(LogitControl **control);

/* Replaces the token_logits of a module. If images have merged to different numbers of tokens, the
 * position of a token is its index divided by their number. The permutation depends only on the
 * module and on the number of images before.
 * @images: [n_images], the next images of the session */
void vitgate__logit_control_apply(LogitControl *control, ImageState *images, guint n_images,
                                  guint module, guint n_prefix);
