/* A model as an ONNX graph: what exporters write of a ViT, in float32. */
#pragma once

#include "description.h"

/* Protocol buffers hold less than this, and no model here comes near it but by its size. */
#define ONNX_MAX_BYTES (G_GUINT64_CONSTANT(2000) << 20)

/* @file: that @description is of, without gates
 * Returns: (transfer full): the file's bytes, or NULL with VITGATE_ERROR_TENSOR, or _UNSUPPORTED
 * where ONNX cannot hold it */
GBytes *onnx_graph_build(const Safetensors *file, const Description *description, GError **error);
