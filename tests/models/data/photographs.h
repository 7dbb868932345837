/* Photographs and models for tests of training data. */
#pragma once

#include "data/collection.h"

/* Writes a photograph below @root. It has no equal parts, and another seed gives another one.
 * @name: ends in ".png" */
void photographs_write(const char *root, const char *name, guint width, guint height, guint seed);

/* Writes a JPEG file truncated in the middle. */
void photographs_write_broken(const char *root, const char *name);

/* Makes a model with the classes "cat", "cow", "dog" and "hen" and no blocks.
 * @size: side of its input in pixels
 * Returns: (transfer full): the model, opened from a file below @root */
VitgateModel *photographs_model(const char *root, guint size, guint resize);

/* Opens the photographs below "data" in @root, for a model with an input of @size x @size pixels.
 * @options: (nullable): its paths are ignored; NULL: all photographs, with room for their pixels
 * Returns: (transfer full) */
Collection *photographs_collection(const char *root, guint size, const CollectionOptions *options);
