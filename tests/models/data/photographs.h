/* Photographs and models for the tests of what training draws from. */
#pragma once

#include "data/collection.h"

/* A photograph file below @root in which no two parts are alike, and which no other seed gives.
 * @name: ends in ".png" */
void photographs_write(const char *root, const char *name, guint width, guint height, guint seed);

/* A JPEG file that ends half way. */
void photographs_write_broken(const char *root, const char *name);

/* A model of the classes "cat", "cow", "dog" and "hen" without any block.
 * @size: pixels of a side of its input
 * Returns: (transfer full): written below @root, opened */
VitgateModel *photographs_model(const char *root, guint size, guint resize);

/* The photographs below "data" in @root, for a model with an input of @size pixels a side.
 * @options: (nullable): whose paths do not count; NULL: all, with room for their pixels
 * Returns: (transfer full) */
Collection *photographs_collection(const char *root, guint size, const CollectionOptions *options);
