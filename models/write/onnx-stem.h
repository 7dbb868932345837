/* T2T-ViT's stem as ONNX: a soft split is a convolution whose weights pick one value each. */
#pragma once

#include "write/onnx-nodes.h"

/* @image: [batch, 3, image_size, image_size]
 * Returns: what the blocks take for patches: [batch, patches, dim] */
const char *onnx_stem(OnnxGraph *graph, const char *image);
