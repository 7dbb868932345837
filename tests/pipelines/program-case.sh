# What the tests of single programs share: a folder that ends with the test, a clip in it, and words
# for what went wrong. They source it, run the program into $folder/out and $folder/err, and need
# from the environment: VITGATE_TEST_MODEL, a small model; GST_PLUGIN_PATH, where the plugin is.
# shellcheck shell=sh

# shellcheck disable=SC2034 # for whoever sources this
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

# $1: a library's name in Python; $2: Debian's package for it
need_library() {
  /usr/bin/python3 -c "import gi; gi.require_version('$1', '1.0')" ||
    skip "python3-gi or $2 is not installed"
}

# $1: what is to be seen
make_test_clip() {
  gst-launch-1.0 -q videotestsrc num-buffers=50 pattern="$1" ! \
    video/x-raw,format=I420,width=101,height=77,framerate=25/1 ! jpegenc ! matroskamux ! \
    filesink location="$folder/clip.mkv"
}

[ -z "${VITGATE_TEST_SANITIZED:-}" ] ||
  skip "Debian's programs cannot load a plugin that is built with the sanitizers"
