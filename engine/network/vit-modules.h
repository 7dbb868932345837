/* The modules of a block, on one image. All threads that share the image call them. */
#pragma once

#include "network/vit-work.h"

/* norm[rows][dim] = LayerNorm(x[first ...]), into this thread's scratch */
void vitgate__vit_normalize(const Job *job, const LayerNorm *norm, guint first, guint rows);

/* x += proj(attention(norm1(x))), then tokens merge */
void vitgate__vit_attention(Job *job, guint block);

/* The same with a token gate: only open rows are queries; the others get the substitute.
 * @weighed: as in vitgate__rows_mlp() */
void vitgate__vit_attend_open(Job *job, guint block, gboolean weighed);

/* The same in the tail, for the class and distillation tokens only. */
void vitgate__vit_attend_tail(const Job *job);

/* x += fc2(gelu(fc1(norm2(x)))) */
void vitgate__vit_mlp(const Job *job, guint block);
