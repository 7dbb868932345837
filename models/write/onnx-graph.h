/* Builds an ONNX graph of a model in float32, as other exporters write it for a ViT. */
#pragma once

#include "file/description.h"

/* @file: a model without gates
 * @description: of @file
 * Returns: (transfer full): the content of the ONNX file, or NULL with VITGATE_ERROR_TENSOR, or
 * _UNSUPPORTED if ONNX cannot represent the model */
GBytes *onnx_graph_build(const Safetensors *file, const Description *description, GError **error);
