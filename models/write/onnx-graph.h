/* A model as an ONNX graph: what exporters write of a ViT, in float32. */
#pragma once

#include "file/description.h"

/* @file: that @description is of, without gates
 * Returns: (transfer full): the file's bytes, or NULL with VITGATE_ERROR_TENSOR, or _UNSUPPORTED
 * where ONNX cannot hold it */
GBytes *onnx_graph_build(const Safetensors *file, const Description *description, GError **error);
