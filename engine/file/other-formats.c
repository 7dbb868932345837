#include "file/other-formats.h"

#include <string.h>

const char vitgate__pickle_advice[] =
    "is pickled by PyTorch, and opening a pickle can run any code; save it as safetensors in "
    "Python: \"import torch, safetensors.torch as s; w = torch.load('IN', map_location='cpu', "
    "weights_only=True)\" and \"s.save_file({k: v.contiguous() for k, v in w.get('model', "
    "w).items()}, 'OUT.safetensors')\"";

static const char lfs_pointer[] =
    "is a Git LFS pointer, not the file itself; fetch the file with \"git lfs pull\"";

const char *vitgate__other_format_describe(const char *bytes, gsize n_bytes)
{
  static const struct {
    const char *magic;
    gsize length;
    const char *text;
  } kinds[] = {
    { "version https://git-lfs", 23, lfs_pointer },
    { "PK\x03\x04", 4, vitgate__pickle_advice }, /* a zip archive, since PyTorch 1.6 */
    { "\x80\x02", 2, vitgate__pickle_advice },   /* a bare pickle, in protocol 2 or later */
    { "\x80\x03", 2, vitgate__pickle_advice },
    { "\x80\x04", 2, vitgate__pickle_advice },
    { "\x80\x05", 2, vitgate__pickle_advice },
  };
  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (n_bytes >= kinds[i].length && !memcmp(bytes, kinds[i].magic, kinds[i].length))
      return kinds[i].text;
  return NULL;
}
