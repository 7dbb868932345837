/* A module on some rows of an image: the tokens that its token gate is open for, and the class and
 * distillation tokens. The other tokens get the module's substitute. Rows are gathered into full
 * chunks, so a row that does not run costs its decision and its substitute only. Each row gets the
 * same sums, in the same order, as if the module ran on all rows. */
#pragma once

#include "network/vit-work.h"

/* Returns: (nullable): the token gate that decides for a module at this setting of the dial; NULL
 * if it runs on all rows */
const TokenGateLayers *vitgate__rows_gate(const Vit *vit, const Dial *dial, guint block,
                                          gboolean mlp);

/* Computes the logits of all patch tokens, into the image's token_logits. All threads that share
 * the image call it. */
void vitgate__rows_weigh(const Job *job, guint block, gboolean mlp);

/* x += fc2(gelu(fc1(h))) or substitute(h), with h = norm2(x). All threads that share the image call
 * it and vitgate__rows_attend_queries().
 * @weighed: the image's token_logits decide; FALSE: they are not computed yet */
void vitgate__rows_mlp(const Job *job, guint block, gboolean weighed);

/* Computes keys and values of h = norm1(x) in all rows of qkv, the queries of open rows in the rows
 * from the thread's first row on, without gaps, and x += substitute(h) in closed rows.
 * Returns: the number of this thread's open rows */
guint vitgate__rows_query(const Job *job, guint block, gboolean weighed);

/* x += proj(y) in the thread's open rows, with y where their queries were */
void vitgate__rows_project(const Job *job, guint block);
