/* What a description implies: the tensors of the network, its sizes and its costs. */
#pragma once

#include "file/description.h"

/* Returns: (transfer full) (element-type TensorSpec): name and shape of every tensor that the
 * network has, under timm's names, roughly in the order of their use */
GArray *vitgate__description_tensors(const Description *description);

/* ---- Sizes ---- */

guint vitgate__description_n_patches(const Description *description);

/* Returns: the number of tokens before the patches: the class token and the distillation token */
guint vitgate__description_n_prefix(const Description *description);

guint vitgate__description_n_tokens(const Description *description);

/* Returns: the number of values that the heads read: a token, or two if the distillation token has
 * a head */
guint vitgate__description_head_inputs(const Description *description);

/* Returns: the number of values that the embedding reads for one patch */
guint vitgate__description_patch_values(const Description *description);

/* Returns: the last block with attention, or depth if there is none or the head reads patch tokens.
 * After the attention of that block nothing reads patch tokens, so only the class and distillation
 * tokens go on. */
guint vitgate__description_tail(const Description *description);

/* Returns: the number of tokens after the attention of a block if no tokens merge */
guint vitgate__description_tokens_after(const Description *description, guint block);

/* ---- Costs: multiply-adds for one image, in 1e9, and parameters ---- */

/* Returns: the number of classification heads: 2 if the distillation token has one */
guint vitgate__description_n_class_heads(const Description *description);

/* @n_queries: tokens that the attention is computed for */
double vitgate__attention_gmacs(const Description *description, guint heads, guint n_tokens,
                                guint n_queries);

/* Returns: the same if keys and values are computed for only @n_new of the tokens */
double vitgate__attention_update_gmacs(const Description *description, guint heads, guint n_tokens,
                                       guint n_queries, guint n_new);
double vitgate__mlp_gmacs(const Description *description, guint neurons, guint n_tokens);

/* Returns: the cost of one decision of a module gate */
double vitgate__gate_gmacs(guint dim);

/* Returns: what a module costs for one token more: in an MLP, or as a query among @n_tokens, whose
 * keys and values are computed anyway */
double vitgate__token_gmacs(const Description *description, guint module, guint n_tokens);

/* Returns: the cost of a token gate's decisions on @n_tokens patch tokens, of which @n_closed get
 * the substitute */
double vitgate__token_gate_gmacs(const Description *description, const TokenGate *gate,
                                 guint n_tokens, guint n_closed);

/* Returns: whether a substitute is one matrix. Otherwise it is the product of two, or none. */
gboolean vitgate__substitute_is_whole(const Description *description, const TokenGate *gate);

/* Returns: whether any module has a token gate */
gboolean vitgate__description_has_token_gates(const Description *description);

/* Returns: the cost of the score for pictures of none of the classes; 0 without one */
double vitgate__unknown_gmacs(const Description *description);

/* Returns: the cost of what always runs: stem, embedding of @n_patches, heads and the score for
 * pictures of none of the classes */
double vitgate__description_fixed_gmacs(const Description *description, guint n_patches);

/* Returns: the cost of the whole network with every module running */
double vitgate__description_gmacs(const Description *description);

/* Returns: the same as publications count it: with all tokens up to the end, and the network alone
 */
double vitgate__description_published_gmacs(const Description *description);

/* Returns: the cost of computing @n_patches anew, and the class and distillation tokens, with the
 * keys and values of the other patches at hand and every gate open */
double vitgate__description_update_gmacs(const Description *description, guint n_patches);

guint64 vitgate__attention_parameters(const Description *description, guint heads);
guint64 vitgate__mlp_parameters(const Description *description, guint neurons);
guint64 vitgate__description_parameters(const Description *description);
