/* JSON is written so that every reader takes it. */
#include "base/json-write.h"

#include "fixture.h"

static void check_written(JsonNode *node, const char *expected)
{
  g_autofree char *text = vitgate__json_write(node, FALSE);

  ck_assert_str_eq(text, expected);
  json_node_unref(node);
}

static JsonNode *number(double value)
{
  return json_node_init_double(json_node_alloc(), value);
}

static JsonNode *string(const char *value)
{
  return json_node_init_string(json_node_alloc(), value);
}

START_TEST(exponents_have_no_fraction)
{
  check_written(number(1e-08), "1e-08");
  check_written(number(-5e+20), "-5e+20");
  check_written(number(1e-300), "1e-300");
  check_written(number(0.5), "0.5");
  check_written(number(2), "2.0");
}
END_TEST

START_TEST(strings_are_not_touched)
{
  check_written(string("1e-08.0"), "\"1e-08.0\"");
  check_written(string("\\\" 1e5.0"), "\"\\\\\\\" 1e5.0\"");
  check_written(string("\302\233"), "\"\\u009b\"");
}
END_TEST

START_TEST(members_after_an_exponent_are_whole)
{
  JsonNode *node = json_node_alloc();
  JsonArray *array = json_array_new();
  g_autofree char *pretty = NULL;

  json_array_add_double_element(array, 1e-08);
  json_array_add_string_element(array, "1.5e3.0");
  json_array_add_double_element(array, 1.5);
  json_node_init_array(node, array);
  json_array_unref(array);
  pretty = vitgate__json_write(node, TRUE);
  ck_assert_ptr_nonnull(g_strstr_len(pretty, -1, "\n"));
  check_written(node, "[1e-08,\"1.5e3.0\",1.5]");
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("json-write");
  tcase_add_test(tests, exponents_have_no_fraction);
  tcase_add_test(tests, strings_are_not_touched);
  tcase_add_test(tests, members_after_an_exponent_are_whole);
  return fixture_run("json-write", tests, NULL);
}
