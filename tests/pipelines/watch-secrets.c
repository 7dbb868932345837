/* Which parts of URLs and messages are hidden. The Python programs have the same rules, which
 * test_secrets.py checks. */
#include "base/secrets.h"

#include <string.h>

#include "fixtures.h"

static const struct {
  const char *url, *shown;
} urls[] = {
  { "rtsp://host:554/live/1", "rtsp://host:554/live/1" },
  { "rtsp://[fe80::1]/live", "rtsp://[fe80::1]/live" },
  { "file:///srv/a@b=c.mp4", "file:///srv/a@b=c.mp4" },
  { "v4l2:///dev/video0", "v4l2:///dev/video0" },
  { "rtsp://eve:secret@host:554/live", "rtsp://***@host:554/live" },
  { "rtsp://eve:sec@ret@host/", "rtsp://***@host/" },
  { "rtsp://eve:sec ret@host/", "rtsp://***@host/" },
  { "http://host/video?user=eve&password=secret", "http://host/video?***" },
  { "http://host/video?", "http://host/video?" },
  { "http://host/video#secret", "http://host/video#***" },
  { "rtsp://host/a/user=eve&password=secret/1", "rtsp://host/a/***" },
  { "rtsp://eve:se/cret@host/", "rtsp://***" },
  { "rtsp://eve:se?cret@host/", "rtsp://***" },
  { "rtsp://eve:se#cret@host/", "rtsp://***" },
  { "http://host/?password=sec@ret", "http://***" },
  { "rtsp://eve%3Asecret%40host/live", "rtsp://***/live" },
  { "rtsp:///eve:secret@host/live", "rtsp://***" },
  { "rtsp:/eve:secret@host/live", "***" },
  { "eve:secret@host/live", "***" },
  { "rtsp:?password=secret", "***" },
  { "street.mp4", "street.mp4" },
};

START_TEST(urls_are_shown_without_secrets)
{
  g_autofree char *shown = secrets_hide_url(urls[_i].url);
  ck_assert_str_eq(shown, urls[_i].shown);
}
END_TEST

START_TEST(messages_are_shown_without_secrets)
{
  static const char *const texts[][2] = {
    { "", "" },
    { "Not Found (404), URL: http://host/x?a=secret, Redirect to: (NULL)",
      "Not Found (404), URL: http://host/x?*** Redirect to: (NULL)" },
    { "no file \342\200\234rtsp://eve:secret@host/\342\200\235: gone",
      "no file \342\200\234rtsp://***@host/\342\200\235: gone" },
    { "\"eve:secret@host\" is not a URL", "\"***\" is not a URL" },
    { "/run/watch@door.service: cat@night  5:30", "/run/watch@door.service: cat@night  5:30" },
  };
  g_autofree char *hidden = secrets_hide(texts[_i][0]);
  ck_assert_str_eq(hidden, texts[_i][1]);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("secrets");
  tcase_add_loop_test(tests, urls_are_shown_without_secrets, 0, G_N_ELEMENTS(urls));
  tcase_add_loop_test(tests, messages_are_shown_without_secrets, 0, 5);
  return fixtures_run(tests, "secrets");
}
