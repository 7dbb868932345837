/* Text from outside does not reach a terminal with characters that it obeys. */
#include "base/clean-text.h"
#include "fixture.h"

static const struct {
  const char *text, *clean, *escaped;
} texts[] = {
  { "", "", "" },
  { "cat, Katze, кот, 猫, 🐈", "cat, Katze, кот, 猫, 🐈", "cat, Katze, кот, 猫, 🐈" },
  { "a\tb\nc", "a b c", "a\\u0009b\nc" },
  { "\033[31mred", " [31mred", "\\u001b[31mred" },
  { "del\177", "del ", "del\\u007f" },
  { "\302\233"
    "31m",
    " 31m", "\\u009b31m" }, /* CSI as one C1 character */
  { "\302\205next", " next", "\\u0085next" },
  { "\342\200\256tac", " tac", "\\u202etac" },               /* right-to-left override */
  { "\342\201\246x\342\201\251", " x ", "\\u2066x\\u2069" }, /* isolates */
  { "\330\234\342\200\217", "  ", "\\u061c\\u200f" },        /* Arabic and right-to-left marks */
  { "\342\200\250\342\200\251", "  ", "\\u2028\\u2029" },    /* separators */
  { "\357\273\277", " ", "\\ufeff" },
  { "\363\240\201\201", " ", "\\udb40\\udc41" }, /* a tag, above U+FFFF */
  { "bad \233 \377", "bad \357\277\275 \357\277\275", "bad \357\277\275 \357\277\275" },
};

START_TEST(unsafe_characters_become_spaces)
{
  g_autofree char *clean = vitgate__clean_text(texts[_i].text);
  ck_assert_str_eq(clean, texts[_i].clean);
}
END_TEST

START_TEST(json_keeps_them_as_escapes)
{
  g_autofree char *escaped = vitgate__escape_json(texts[_i].text);
  ck_assert_str_eq(escaped, texts[_i].escaped);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("clean text");
  tcase_add_loop_test(tests, unsafe_characters_become_spaces, 0, G_N_ELEMENTS(texts));
  tcase_add_loop_test(tests, json_keeps_them_as_escapes, 0, G_N_ELEMENTS(texts));
  return fixture_run("clean text", tests, NULL);
}
