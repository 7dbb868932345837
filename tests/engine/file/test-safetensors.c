/* Reads the container of model files, valid and invalid. Writing is tested in
 * test-safetensors-write.c. */
#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "file/weights.h"
#include "fixture.h"

/* ---- Writing test files ---- */

static GByteArray *build_bytes(guint64 header_size, const char *header, gsize length, gsize n_data)
{
  GByteArray *bytes = g_byte_array_new();
  header_size = GUINT64_TO_LE(header_size);
  g_byte_array_append(bytes, (const guint8 *)&header_size, 8);
  g_byte_array_append(bytes, (const guint8 *)header, (guint)length);
  for (gsize i = 0; i < n_data; i++)
    g_byte_array_append(bytes, (const guint8 *)"\x42", 1);
  return bytes;
}

/* Pads @header with spaces, as the format requires, and writes it with @n_data bytes of data. */
static char *write_header(const char *header, gsize n_data)
{
  g_autoptr(GString) padded = g_string_new(header);
  while (padded->len % 8)
    g_string_append_c(padded, ' ');
  g_autoptr(GByteArray) bytes = build_bytes(padded->len, padded->str, padded->len, n_data);
  return fixture_write("file", bytes->data, bytes->len);
}

static Safetensors *open_header(const char *header, gsize n_data)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = write_header(header, n_data);
  Safetensors *file = vitgate__safetensors_open(path, &error);
  assert_success(file, error);
  return file;
}

static void refuse_path(const char *path, VitgateError code, const char *part)
{
  g_autoptr(GError) error = NULL;
  ck_assert_ptr_null(vitgate__safetensors_open(path, &error));
  assert_error(error, code, part);
  ck_assert_ptr_null(vitgate__safetensors_open(path, NULL));
}

static void refuse_bytes(gconstpointer bytes, gsize n, const char *part)
{
  g_autofree char *path = fixture_write("file", bytes, n);
  refuse_path(path, VITGATE_ERROR_FORMAT, part);
}

static void refuse_header(const char *header, gsize n_data, VitgateError code, const char *part)
{
  g_autofree char *path = write_header(header, n_data);
  refuse_path(path, code, part);
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}"
#define B "\"b\":{\"dtype\":\"U8\",\"shape\":[2,2],\"data_offsets\":[8,12]}"

/* ---- Valid files ---- */

START_TEST(tensors_and_metadata_are_found)
{
  g_autoptr(Safetensors) file =
      open_header("{" B ",\"__metadata__\":{\"k\":\"v\",\"format\":\"pt\"}," A "}", 12);
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(file, &n);
  ck_assert_uint_eq(n, 2);
  ck_assert_str_eq(tensors[0].name, "a"); /* in the order of their data */
  ck_assert_str_eq(tensors[1].name, "b");
  const Tensor *a = vitgate__safetensors_find(file, "a"), *b = vitgate__safetensors_find(file, "b");
  ck_assert_ptr_eq(a, &tensors[0]);
  ck_assert_int_eq(a->type, TENSOR_F32);
  ck_assert_uint_eq(a->n_dims, 1);
  ck_assert_uint_eq(a->shape[0], 2);
  ck_assert_uint_eq(a->n_bytes, 8);
  char bytes[8];
  ck_assert_ptr_null(a->data);
  ck_assert(vitgate__tensor_copy(bytes, a, NULL));
  ck_assert_mem_eq(bytes, "BBBBBBBB", 8);
  ck_assert_int_eq(b->type, TENSOR_U8);
  ck_assert_uint_eq(b->n_dims, 2);
  ck_assert_uint_eq(vitgate__tensor_n_elements(b), 4);
  ck_assert_uint_eq(b->place, a->place + 8);
  ck_assert_ptr_null(vitgate__safetensors_find(file, "c"));
  ck_assert_ptr_null(vitgate__safetensors_find(file, "__metadata__"));
  ck_assert_str_eq(vitgate__safetensors_get_metadata(file, "k"), "v");
  ck_assert_ptr_null(vitgate__safetensors_get_metadata(file, "absent"));
}
END_TEST

START_TEST(a_file_may_be_almost_empty)
{
  Safetensors *file = open_header("{}", 0);
  guint n = 1;
  vitgate__safetensors_list(file, &n);
  ck_assert_uint_eq(n, 0);
  ck_assert_ptr_null(vitgate__safetensors_get_metadata(file, "vitgate"));
  vitgate__safetensors_close(&file);
  ck_assert_ptr_null(file);
  vitgate__safetensors_close(&file);

  /* A number has no dimensions. A tensor without elements may be anywhere in the data. */
  file = open_header("{\"n\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
                     "\"none\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[4,4]}}",
                     4);
  ck_assert_uint_eq(vitgate__safetensors_find(file, "n")->n_dims, 0);
  ck_assert_uint_eq(vitgate__tensor_n_elements(vitgate__safetensors_find(file, "n")), 1);
  ck_assert_uint_eq(vitgate__tensor_n_elements(vitgate__safetensors_find(file, "none")), 0);
  vitgate__safetensors_close(&file);
}
END_TEST

/* Checks all values of a 16-bit type with a sign, an exponent and @mantissa_bits. */
static void check_halves(TensorType type, int mantissa_bits)
{
  const int scale = 1 << mantissa_bits, largest = (1 << (15 - mantissa_bits)) - 1;
  const int offset = largest / 2 + mantissa_bits;
  g_autofree guint16 *halves = g_new(guint16, 65536);
  g_autofree float *values = g_new(float, 65536);
  for (guint i = 0; i < 65536; i++)
    halves[i] = (guint16)i;
  const Tensor tensor = { .type = type, .data = halves, .n_bytes = 2 * 65536 };
  ck_assert(vitgate__tensor_to_float(values, &tensor, NULL));
  for (guint i = 0; i < 65536; i++) {
    const int exponent = i >> mantissa_bits & largest, mantissa = i & (scale - 1);
    double expected = exponent == largest ? (mantissa ? NAN : INFINITY)
                      : exponent          ? ldexp(scale + mantissa, exponent - offset)
                                          : ldexp(mantissa, 1 - offset);
    expected = copysign(expected, i >> 15 ? -1.0 : 1.0);
    assert_each(isnan(expected) ? isnan(values[i])
                                : values[i] == expected && !signbit(values[i]) == !(i >> 15),
                "0x%04x is %.9g, expected %.9g", i, values[i], expected);
  }
}

START_TEST(every_half_is_converted)
{
  check_halves(TENSOR_F16, 10);
}
END_TEST

START_TEST(every_bfloat_is_converted)
{
  check_halves(TENSOR_BF16, 7);
}
END_TEST

START_TEST(integers_are_converted)
{
  static const gint8 bytes[] = { 0, 1, -1, 127, -128 };
  static const float as_signed[] = { 0, 1, -1, 127, -128 }, as_unsigned[] = { 0, 1, 255, 127, 128 };
  float values[5];
  ck_assert(vitgate__tensor_to_float(
      values, &(Tensor){ .type = TENSOR_I8, .data = bytes, .n_bytes = 5 }, NULL));
  ck_assert_mem_eq(values, as_signed, sizeof values);
  ck_assert(vitgate__tensor_to_float(
      values, &(Tensor){ .type = TENSOR_U8, .data = bytes, .n_bytes = 5 }, NULL));
  ck_assert_mem_eq(values, as_unsigned, sizeof values);
}
END_TEST

/* ---- Files that are not safetensors ---- */

START_TEST(paths_that_are_not_files_are_refused)
{
  g_autofree char *absent = fixture_path("absent"), *folder = fixture_path("folder");
  g_autofree char *dangling = fixture_path("dangling"), *circle = fixture_path("circle");
  g_autofree char *file = fixture_write("text", "a text", 6);
  g_autofree char *below = g_build_filename(file, "below", NULL);
  ck_assert_int_eq(g_mkdir(folder, 0700), 0);
  ck_assert_int_eq(symlink(absent, dangling), 0);
  ck_assert_int_eq(symlink(circle, circle), 0);
  refuse_path(absent, VITGATE_ERROR_NOT_FOUND, absent);
  refuse_path(dangling, VITGATE_ERROR_NOT_FOUND, dangling);
  refuse_path("", VITGATE_ERROR_NOT_FOUND, "no such file");
  refuse_path(folder, VITGATE_ERROR_IO, folder);
  refuse_path(circle, VITGATE_ERROR_IO, circle);
  refuse_path(below, VITGATE_ERROR_IO, below);
}
END_TEST

/* Opening a pipe would wait for a writer for ever. */
START_TEST(a_pipe_is_refused)
{
  g_autofree char *pipe = fixture_path("pipe");
  ck_assert_int_eq(mkfifo(pipe, 0600), 0);
  refuse_path(pipe, VITGATE_ERROR_IO, pipe);
}
END_TEST

START_TEST(other_formats_are_refused)
{
  static const guint8 png[64] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I' };
  static const guint8 zip[64] = { 'P', 'K', 3, 4, 0, 0, 8, 8 }, zeros[64];
  static const char text[] = "{\"model\": \"this is config.json, not the weights\"}";
  refuse_bytes("", 0, "is empty");
  refuse_bytes(png, sizeof png, "is not a safetensors file");
  refuse_bytes(zip, sizeof zip, "is pickled by PyTorch");
  refuse_bytes(zeros, sizeof zeros, "is not a safetensors file");
  refuse_bytes(text, strlen(text), "is not a safetensors file");
  refuse_path("/proc/self/exe", VITGATE_ERROR_FORMAT, "is not a safetensors file");
}
END_TEST

/* Another process may truncate an open file. This must not raise SIGBUS. */
START_TEST(a_file_that_becomes_shorter_is_an_error)
{
  static const char *const headers[] = {
    "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
    "{\"a\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[0,8]}}",
  };
  for (guint i = 0; i < G_N_ELEMENTS(headers); i++) {
    g_autoptr(GError) error = NULL;
    float values[4];
    g_autoptr(Safetensors) file = open_header(headers[i], 8);
    g_autofree char *path = fixture_path("file");
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert(!vitgate__weights_read(file, "a", values, &error));
    ck_assert(strstr(error->message, "tensor 'a'"));
    assert_error(error, VITGATE_ERROR_IO, path);
    ck_assert(!vitgate__safetensors_check_unchanged(file, &error));
    assert_error(error, VITGATE_ERROR_IO, path);
  }
}
END_TEST

START_TEST(every_truncation_is_refused)
{
  g_autofree char *whole = write_header("{" A "," B ",\"__metadata__\":{\"k\":\"v\"}}", 12);
  g_autofree char *bytes = NULL;
  gsize n;
  ck_assert(g_file_get_contents(whole, &bytes, &n, NULL));
  for (gsize length = 0; length < n; length++) {
    g_autofree char *path = fixture_write("truncated", bytes, length);
    refuse_path(path, VITGATE_ERROR_FORMAT, path);
  }
}
END_TEST

START_TEST(a_wrong_length_of_the_header_is_refused)
{
  static const guint64 lengths[] = { 129,        1 << 20,          G_MAXUINT32,
                                     G_MAXINT64, (guint64)1 << 63, G_MAXUINT64 - 7,
                                     G_MAXUINT64 };
  char header[128];
  memset(header, ' ', sizeof header);
  memcpy(header, "{}", 2);
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
    g_autoptr(GByteArray) bytes = build_bytes(lengths[i], header, sizeof header, 0);
    refuse_bytes(bytes->data, bytes->len, "the header claims");
  }
  for (guint64 length = 0; length < 2; length++) {
    g_autoptr(GByteArray) bytes = build_bytes(length, header, sizeof header, 0);
    refuse_bytes(bytes->data, bytes->len, "is not a safetensors file");
  }
  g_autoptr(GByteArray) unaligned = build_bytes(2, header, 2, 0);
  refuse_bytes(unaligned->data, unaligned->len, "leaves the data unaligned");
}
END_TEST

START_TEST(a_huge_header_is_refused_without_reading_it)
{
  g_autofree char *path = fixture_write("huge", "\0\0\0\x02\0\0\0\0{", 9); /* 32 MiB */
  ck_assert_int_eq(truncate(path, (32 << 20) + 8), 0);
  refuse_path(path, VITGATE_ERROR_FORMAT, "the header claims 33554432 bytes");
}
END_TEST

/* ---- Wrong headers ---- */

#define TENSOR(entry) "{\"t\":{" entry "}}"
#define SHAPE(shape)  TENSOR("\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[0,8]")
#define DTYPE(dtype)  TENSOR("\"dtype\":" dtype ",\"shape\":[2],\"data_offsets\":[0,8]")
#define PLACE(place)  TENSOR("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" place)

static const struct {
  const char *header, *part; /* part of the message */
  gsize n_data;
} wrong_headers[] = {
  /* Places */
  { "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "'b' overlaps", 8 },
  { "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "overlaps", 8 },
  { "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[4,4]}}", "'b' overlaps", 8 },
  { "{" A ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]}}", "'b' follows a gap",
    16 },
  { PLACE("[4,12]"), "'t' follows a gap", 12 },
  { "{" A "}", "4 bytes at the end belong to no tensor", 12 },
  { "{}", "4 bytes at the end belong to no tensor", 4 },
  { PLACE("[0,8]"), "'t' lies at bytes 0 to 8 of 4 bytes", 4 },
  { PLACE("[4,12]"), "'t' lies at bytes 4 to 12 of 8 bytes", 8 },
  { PLACE("[9223372036854775798,9223372036854775806]"), "'t' lies at bytes 9223372036854775798",
    8 },
  { PLACE("[8,0]"), "'t' lies at bytes 8 to 0", 8 },
  { PLACE("[-8,0]"), "'t' has no valid data_offsets", 8 },
  { PLACE("[0,18446744073709551624]"), "'t' has no valid data_offsets", 8 },
  { PLACE("[0,8.0]"), "'t' has no valid data_offsets", 8 },
  { PLACE("[\"0\",\"8\"]"), "'t' has no valid data_offsets", 8 },
  { PLACE("[0]"), "'t' has no valid data_offsets", 8 },
  { PLACE("[0,8,8]"), "'t' has no valid data_offsets", 8 },
  { PLACE("{}"), "'t' has no valid data_offsets", 8 },
  { PLACE("null"), "'t' has no valid data_offsets", 8 },
  { TENSOR("\"dtype\":\"F32\",\"shape\":[2]"), "'t' has no valid data_offsets", 8 },
  { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
    "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}",
    "'b' starts at byte 1, which is not aligned", 5 },
  { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
    "\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[1,3]}}",
    "'b' starts at byte 1, which is not aligned", 3 },
  /* Shapes */
  { SHAPE("[3]"), "'t' has 8 bytes, expected 12 for F32 [3]", 8 },
  { SHAPE("[1]"), "'t' has 8 bytes, expected 4 for F32 [1]", 8 },
  { SHAPE("[]"), "'t' has 8 bytes, expected 4 for F32 []", 8 },
  { SHAPE("[0]"), "'t' has 8 bytes, expected 0 for F32 [0]", 8 },
  { SHAPE("[4294967296,4294967296]"), "'t' has no valid shape", 8 },
  { SHAPE("[4611686018427387904]"), "'t' has no valid shape", 8 },
  { SHAPE("[9223372036854775807,9223372036854775807,0]"), "'t' has no valid shape", 8 },
  { SHAPE("[4611686018427387906]"), "'t' has no valid shape", 8 }, /* 8 bytes after overflow */
  { SHAPE("[18446744073709551618]"), "'t' has no valid shape", 8 },
  { SHAPE("[2,1,1,1,1,1,1,1,1]"), "'t' has no valid shape", 8 },
  { SHAPE("[-2]"), "'t' has no valid shape", 8 },
  { SHAPE("[-1,-2]"), "'t' has no valid shape", 8 },
  { SHAPE("[2.0]"), "'t' has no valid shape", 8 },
  { SHAPE("[\"2\"]"), "'t' has no valid shape", 8 },
  { SHAPE("[[2]]"), "'t' has no valid shape", 8 },
  { SHAPE("[null]"), "'t' has no valid shape", 8 },
  { SHAPE("2"), "'t' has no valid shape", 8 },
  { TENSOR("\"dtype\":\"F32\",\"data_offsets\":[0,8]"), "'t' has no valid shape", 8 },
  /* Entries and names */
  { "{\"t\":5}", "'t' has no valid data_offsets", 0 },
  { "{\"t\":[]}", "'t' has no valid data_offsets", 0 },
  { "{\"t\":null}", "'t' has no valid data_offsets", 0 },
  { "{" A "," A "}", "'a' is named twice", 8 },
  { "{" A ",\"\\u0061\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]}}",
    "'a' is named twice", 8 },
  { TENSOR("\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"),
    "'dtype' is named twice", 8 },
  { "{\"__metadata__\":{\"k\":\"v\",\"k\":\"w\"}}", "'k' is named twice", 0 },
  { "{\"__metadata__\":{},\"__metadata__\":{}}", "'__metadata__' is named twice", 0 },
  /* Metadata */
  { "{\"__metadata__\":\"text\"}", "__metadata__ is not an object", 0 },
  { "{\"__metadata__\":[\"text\"]}", "__metadata__ is not an object", 0 },
  { "{\"__metadata__\":null}", "__metadata__ is not an object", 0 },
  { "{\"__metadata__\":{\"k\":\"v\",\"n\":5}}", "contains only strings", 0 },
  { "{\"__metadata__\":{\"k\":{}}}", "contains only strings", 0 },
  { "{\"__metadata__\":{\"k\":null}}", "contains only strings", 0 },
  { "{\"__metadata__\":{\"k\":true}}", "contains only strings", 0 },
  /* Invalid JSON */
  { "{", "JSON", 0 },
  { "{]", "JSON", 0 },
  { "{\"a", "JSON", 0 },
  { "{\"a\":", "JSON", 0 },
  { "{" A ",}", "JSON", 8 },
  { "{" A "}}", "JSON", 8 },
  { "{" A "} and more", "JSON", 8 },
  { "{" A "} {" A "}", "JSON", 8 },
  { "{a:1}", "JSON", 0 },
  { "{\"a\":NaN}", "JSON", 0 },
  { "{/* a comment */" A "}", "JSON", 8 },
  { "{// a comment\n" A "}", "JSON", 8 },
  { "{'a':{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "JSON", 8 },
  { "{\"\xff\xfe\":1}", "JSON", 0 },
};

START_TEST(a_wrong_header_is_refused)
{
  refuse_header(wrong_headers[_i].header, wrong_headers[_i].n_data, VITGATE_ERROR_FORMAT,
                wrong_headers[_i].part);
}
END_TEST

START_TEST(other_types_are_not_supported)
{
  static const char *const types[] = { "\"F64\"", "\"I64\"", "\"BOOL\"", "\"f32\"", "\"\"" };
  for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
    g_autofree char *header = g_strdup_printf(DTYPE("%s"), types[i]);
    refuse_header(header, 8, VITGATE_ERROR_UNSUPPORTED, "tensor 't' is of type");
  }
  refuse_header(DTYPE("5"), 8, VITGATE_ERROR_UNSUPPORTED, "tensor 't' is of type (none)");
  refuse_header(TENSOR("\"shape\":[2],\"data_offsets\":[0,8]"), 8, VITGATE_ERROR_UNSUPPORTED,
                "tensor 't' is of type (none)");
}
END_TEST

START_TEST(a_byte_0_in_the_header_is_refused)
{
  static const char header[] = "{" A "}\0       ";
  g_autoptr(GByteArray) bytes = build_bytes(sizeof header - 1, header, sizeof header - 1, 8);
  while (bytes->len % 4)
    g_byte_array_append(bytes, (const guint8 *)" ", 1);
  guint64 length = GUINT64_TO_LE(bytes->len - 16);
  memcpy(bytes->data, &length, 8);
  refuse_bytes(bytes->data, bytes->len, "JSON");
}
END_TEST

/* A recursive parser must not get this far. Some of these texts hide their depth, in comments or
 * apostrophes, from a scan that does not know them. */
START_TEST(deeply_nested_json_is_refused)
{
  static const char *const starts[] = { "{\"a\":",       "{\"a\":[1],\"b\":",     "{\"\\\"\":",
                                        "{/*\"*/\"a\":", "{//\"\n\"b\":1,\"a\":", "{'\"':1,\"a\":",
                                        "{/*'*/\"a\":",  "{#\"\n\"a\":" };
  static const char *const levels[] = { "[", "{\"a\":", "[[{\"a\":" };
  for (guint s = 0; s < G_N_ELEMENTS(starts); s++)
    for (guint l = 0; l < G_N_ELEMENTS(levels); l++) {
      g_autoptr(GString) header = g_string_new(starts[s]);
      for (guint i = 0; i < 100000; i++)
        g_string_append(header, levels[l]);
      refuse_header(header->str, 0, VITGATE_ERROR_FORMAT, "JSON");
    }
}
END_TEST

START_TEST(brackets_in_strings_do_not_count_as_nesting)
{
  g_autoptr(GString) header = g_string_new("{\"__metadata__\":{\"k\":\"");
  for (guint i = 0; i < 1000; i++)
    g_string_append(header, "[{\\\"'/*//#");
  g_string_append(header, "\\\\\"}," A "}");
  g_autoptr(Safetensors) file = open_header(header->str, 8);
  ck_assert_ptr_nonnull(vitgate__safetensors_find(file, "a"));
  const char *value = vitgate__safetensors_get_metadata(file, "k");
  ck_assert(g_str_has_prefix(value, "[{\"'/*//#[{"));
}
END_TEST

START_TEST(many_tensors_are_found)
{
  enum { N = 5000 };
  g_autoptr(GString) header = g_string_new("{");
  for (guint i = 0; i < N; i++)
    g_string_append_printf(header,
                           "%s\"t%u\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%u,%u]}",
                           i ? "," : "", N - 1 - i, 4 * (N - 1 - i), 4 * (N - i));
  g_string_append_c(header, '}');
  g_autoptr(Safetensors) file = open_header(header->str, 4 * N);
  guint n;
  const Tensor *tensors = vitgate__safetensors_list(file, &n);
  ck_assert_uint_eq(n, N);
  for (guint i = 0; i < N; i++) {
    g_autofree char *name = g_strdup_printf("t%u", i);
    assert_each(vitgate__safetensors_find(file, name) == &tensors[i], "%s is not in its place",
                name);
  }
}
END_TEST

int main(void)
{
  TCase *good = tcase_create("good"), *other = tcase_create("other formats"),
        *wrong = tcase_create("wrong headers");
  tcase_add_test(good, tensors_and_metadata_are_found);
  tcase_add_test(good, a_file_may_be_almost_empty);
  tcase_add_test(good, every_half_is_converted);
  tcase_add_test(good, every_bfloat_is_converted);
  tcase_add_test(good, integers_are_converted);
  tcase_add_test(good, brackets_in_strings_do_not_count_as_nesting);
  tcase_add_test(good, many_tensors_are_found);
  tcase_add_test(other, paths_that_are_not_files_are_refused);
  tcase_add_test(other, a_pipe_is_refused);
  tcase_add_test(other, other_formats_are_refused);
  tcase_add_test(other, a_file_that_becomes_shorter_is_an_error);
  tcase_add_test(other, every_truncation_is_refused);
  tcase_add_test(other, a_wrong_length_of_the_header_is_refused);
  tcase_add_test(other, a_huge_header_is_refused_without_reading_it);
  tcase_add_loop_test(wrong, a_wrong_header_is_refused, 0, G_N_ELEMENTS(wrong_headers));
  tcase_add_test(wrong, other_types_are_not_supported);
  tcase_add_test(wrong, a_byte_0_in_the_header_is_refused);
  tcase_add_test(wrong, deeply_nested_json_is_refused);
  return fixture_run("safetensors", good, other, wrong, NULL);
}
