/* words.h: what an overlay writes of a result: lines of text from its structure. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Written instead of a label if no class is probable enough. */
#define GST_VITGATE_UNSURE "unsure"

/* Returns: @ratio in percent, from 0 to 100. */
guint gst_vitgate_words_percent(double ratio);

/* Returns: whether no class of a result is probable enough. Where each class has a probability of
 * its own, that none is there is a result. */
gboolean gst_vitgate_words_is_unsure(const GstStructure *s);

/* Returns: (transfer full) (nullable): the line for label @i of a result, or NULL if there is none.
 */
char *gst_vitgate_words_result(const GstStructure *s, guint i);

/* Returns: (transfer full): such as "25.0 frames/s". */
char *gst_vitgate_words_rate(double rate);

/* @state: write age and state
 * @rate: frames per second; 0: unknown, or not shown
 * Returns: (transfer full) (nullable): the line with age and frame rate, or NULL if there is
 * neither. */
char *gst_vitgate_words_status(const GstStructure *s, gboolean state, double rate);

/* Returns: (transfer full) (nullable): such as "#7  87 %  cat · 3 frames old, late"; NULL if the
 * region has neither a label nor a type. */
char *gst_vitgate_words_region(const GstStructure *s, gboolean state);

/* Returns: (transfer full): such as "gate  87 %  closed · 3 frames old, late". */
char *gst_vitgate_words_look(const GstStructure *s, gboolean state);

G_END_DECLS
