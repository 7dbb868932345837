/* Builds T2T-ViT's stem in ONNX. A soft split becomes a convolution whose kernels each pick one
 * value. */
#pragma once

#include "write/onnx-nodes.h"

/* @image: [batch, 3, image_size, image_size]
 * Returns: the patch tokens for the blocks: [batch, patches, dim] */
const char *onnx_stem(OnnxGraph *graph, const char *image);
