# Sourced by the tests of single programs: a temporary folder, a clip, and functions that fail or
# skip a test. The tests write the program's output to $folder/out and $folder/err. Environment:
# VITGATE_TEST_MODEL, a small model; GST_PLUGIN_PATH, the folder of the plugin.
# shellcheck shell=sh

# shellcheck disable=SC2034 # used by the tests
pipelines=$(cd "$(dirname "$0")/../../pipelines" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export XDG_CACHE_HOME="$folder/cache" GST_REGISTRY="${GST_REGISTRY:-$folder/registry}"

fail() {
  echo "FAIL: $*" >&2
  [ ! -f "$folder/out" ] || cat "$folder/out" "$folder/err" >&2
  exit 1
}

skip() {
  echo "SKIP: $*"
  exit 77
}

# $1: a library's name in Python; $2: its Debian package
need_library() {
  /usr/bin/python3 -c "import gi; gi.require_version('$1', '1.0')" ||
    skip "python3-gi or $2 is not installed"
}

# $1: the pattern of videotestsrc
make_test_clip() {
  gst-launch-1.0 -q videotestsrc num-buffers=50 pattern="$1" ! \
    video/x-raw,format=I420,width=101,height=77,framerate=25/1 ! jpegenc ! matroskamux ! \
    filesink location="$folder/clip.mkv"
}

[ -z "${VITGATE_TEST_SANITIZED:-}" ] ||
  skip "Debian's programs cannot load a plugin that is built with sanitizers"
