# Sourced by the recipes. Environment:
#   $VITGATE  the command; default: the one in build/
#   $DATA     the folder with weights and photographs; default: ../shared/data
#   $WORK     the folder for the teacher, checkpoints and logs; default: $OUT.work
# Sets $vitgate, $data, $work, $out and $teacher (dense DeiT-Tiny with the labels of ImageNet-1k).

root=$(cd "$(dirname "$0")/../../.." && pwd)
vitgate=${VITGATE:-$root/build/models/vitgate}
data=${DATA:-$root/../shared/data}
name=$(basename "$0")
out=${1:-$root/models/shipped/$name.safetensors}
work=${WORK:-$out.work}
teacher=$work/deit-tiny.safetensors
export OPENBLAS_NUM_THREADS=1
mkdir -p "$work"
"$vitgate" import --labels "$data/imagenet_synsets.txt" \
  "$data/deit_tiny_patch16_224.safetensors" -o "$teacher"
