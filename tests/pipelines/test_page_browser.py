"""The page of vitgate-watch in Chromium. Environment: see watch_case.py."""

import datetime
import json
import re
import time
import urllib.parse

from browser_case import Browser, Keys, PageTest, axe_source, unittest
from cameras import Server
from http_server import HttpServer

EVIL = "<img src=x onerror=alert(1)>"
MAX_FIRST_LOAD = 100_000  # bytes, pictures and the stream not counted
MAX_SHIFT = 0.01
# Of each view: its address, and an element that is there once it is complete.
VIEWS = {
    "cameras": ("#/", ".tile .label"),
    "camera": ("#/camera/yard", ".facts-list dd"),
    "look": ("#/camera/yard?look=gate", ".facts-list dd"),
    "events": ("#/events", ".event"),
    "teach": ("#/teach", ".intro"),
    "new state": ("#/teach/new?camera=yard", ".drag"),
    "system": ("#/system", ".system table"),
}


# What another site may try. Returns what came of it.
ALIEN = """
const [url, done] = arguments;
const show = (path) => new Promise((resolve) => {
  const image = new Image();
  image.onload = () => resolve('shown');
  image.onerror = () => resolve('refused');
  image.src = url + path;
});
const ask = (path, options) => fetch(url + path, options).then((answer) => answer.type, () => 'refused');
const task = {name: 'gate', camera: 'yard', region: [0, 0, 1, 1], classes: ['open', 'closed']};
Promise.all([
  show('api/v1/cameras/yard/picture'), show('api/v1/cameras/yard/live'), ask('api/v1/cameras'),
  ask('api/v1/cameras/yard/settings', {method: 'PATCH', body: '{"threshold": 0.9}'}),
  ask('api/v1/teach', {method: 'POST', mode: 'no-cors', body: JSON.stringify(task)}),
]).then(done);"""


def mean_of(image):
    """Returns the mean brightness, and the share of the most frequent brightness in eight."""
    histogram = image.convert("L").histogram()
    n = sum(histogram)
    coarse = [sum(histogram[i:i + 32]) / n for i in range(0, 256, 32)]
    return sum(i * count for i, count in enumerate(histogram)) / n, max(coarse)


class Views(PageTest):
    """One vitgate-watch for all tests: a camera with a look, one with a hostile name and hostile
    labels, and one that cannot be reached."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.case = case = PageTest("setUp")
        case.browser = cls.browser
        PageTest.setUp(case)
        cls.addClassCleanup(case.doCleanups)
        case.write("labels.txt", "".join(f"{EVIL} {i}\n" for i in range(10)))
        colours = case.colours(red=25, blue=25)
        state = {"state": "true", "threshold": 0, "state-lead": 1, "appear-after": 0.2}
        path = case.page({
            "yard": {**colours, **state, "whole-frame": "true"},
            f"{EVIL}": {**colours, **state, "model-labels": case.path("labels.txt")},
            "shed": {"url": "rtsp://127.0.0.1:9/none"},
        })
        case.look(path, "gate", camera="yard", region="25%,25%,50%,50%", **state)
        served = case.serve(path)
        served.__enter__()
        cls.addClassCleanup(served.__exit__, None, None, None)
        # Both states have been seen once, in the camera and in its look.
        cls.browser.wait(lambda: len(case.api("events?event=state")["events"]) >= 4)

    def setUp(self):
        self.browser.errors()
        self.url, self.api = self.case.url, self.case.api
        self.addCleanup(self.browser.resize, 1280, 800)
        self.addCleanup(self.browser.prefer, "light")

    def open_view(self, name):
        address, wanted = VIEWS[name]
        self.browser.open(self.url + address, wanted)

    def test_views_are_quiet_steady_and_accessible(self):
        """No error, no other host, nothing that moves, a name for each control."""
        axe = axe_source()
        self.browser.requests()
        for name in VIEWS:
            with self.subTest(name):
                self.open_view(name)
                # A second for what comes late and might move the rest.
                start = time.monotonic()
                self.browser.wait(lambda: time.monotonic() - start > 1)
                shift, shifted = self.browser.shift()
                self.assertLessEqual(shift, MAX_SHIFT, shifted)
                self.assertEqual(self.browser.nameless(), [])
                if axe:
                    self.assertEqual(self.browser.axe(axe), [])
                self.assertEqual(self.browser.errors(), [])
                hosts = {urllib.parse.urlsplit(url).netloc for url in self.browser.requests()
                         if url.startswith("http")}
                self.assertEqual(hosts, {urllib.parse.urlsplit(self.url).netloc})
        if not axe:
            print("axe-core could not be had; names of controls were checked, contrast was not")

    def test_views_fit_a_phone_and_look_right_in_light_and_dark(self):
        """Looked at once by a person; here only that nothing is blank, too wide, or too bright."""
        self.open_view("cameras")
        for scheme, limits in {"light": (130, 256), "dark": (0, 90)}.items():
            self.browser.prefer(scheme)
            for width, height in (1280, 800), (360, 740):
                self.browser.resize(width, height)
                for name, (address, wanted) in VIEWS.items():
                    with self.subTest(name, scheme=scheme, width=width):
                        self.browser.go(self.url + address, wanted)
                        image = self.browser.screenshot()
                        self.assertEqual(image.size, (width, height))
                        brightness, most = mean_of(image)
                        self.assertTrue(limits[0] <= brightness <= limits[1], brightness)
                        self.assertLess(most, 0.995)
                        self.assertLessEqual(
                            self.browser.run("return document.documentElement.scrollWidth"), width)

    def test_first_load_is_small(self):
        self.browser.cdp("Network.clearBrowserCache", {})
        self.browser.requests()
        self.open_view("cameras")
        loaded = {url: size for url, size in self.browser.requests().items()
                  if size and not re.search(r"/(live|picture)\b", url)}
        self.assertGreater(len(loaded), 5)
        self.assertLessEqual(sum(loaded.values()), MAX_FIRST_LOAD, loaded)

    def test_hostile_text_stays_text(self):
        self.open_view("cameras")
        self.browser.find(".tile h2", EVIL)
        self.browser.find(".tile .label", f"{EVIL} ")
        self.browser.click(".tile", EVIL)
        self.browser.find("h1", EVIL)
        self.browser.find(".setting input")
        self.assertIn(EVIL, self.browser.driver.title)
        self.browser.click("a", "Events")
        self.browser.find(".event .what", EVIL)
        # Not just any event of that camera: "Connected" is about no label.
        self.browser.click(".event .what", EVIL)
        self.browser.find("dialog h2", EVIL)
        self.browser.go(self.url + "#/teach/new")
        self.browser.find("option", EVIL)
        self.browser.go(f"{self.url}#/camera/{urllib.parse.quote('<b>nobody</b>', safe='')}")
        self.browser.find("h1", "<b>nobody</b>")
        self.assertEqual(self.browser.all("img[src=x], main b"), [])
        self.assertEqual(self.browser.errors(), [])

    def test_a_camera_without_a_picture_says_since_when_and_why(self):
        self.open_view("cameras")
        tile = self.browser.find(".tile", "shed")
        self.assertRegex(tile.text, r"(No picture|Connecting) for .* s\b")
        self.browser.find(".tile", "connection refused")
        self.assertRegex(tile.text, r"\n(Lost|Connecting)\n")  # it is tried again all the time

    def test_a_live_picture_moves(self):
        """The clip changes its colour each second."""
        self.open_view("camera")

        def colour():
            image = self.browser.screenshot()
            box = self.browser.find(".picture").rect
            red, _, blue = image.getpixel((int(box["x"] + box["width"] * 0.1),
                                           int(box["y"] + box["height"] * 0.9)))
            return "red" if red > blue + 50 else "blue" if blue > red + 50 else None

        for wanted in "red", "blue", "red":
            self.browser.wait(lambda wanted=wanted: colour() == wanted, f"a {wanted} picture")

    def test_looks_are_drawn_where_they_are(self):
        self.open_view("camera")
        box = self.browser.find(".look", "gate").rect
        picture = self.browser.find(".picture").rect
        for side, place in ("x", "width"), ("y", "height"):
            self.assertAlmostEqual((box[side] - picture[side]) / picture[place], 0.25, delta=0.01)
            self.assertAlmostEqual(box[place] / picture[place], 0.5, delta=0.01)

    def test_pictures_are_only_fetched_while_they_can_be_seen(self):
        self.open_view("cameras")
        self.browser.wait(lambda: any("/live" in url or "/picture" in url
                                      for url in self.browser.requests()))
        self.browser.go(self.url + VIEWS["system"][0], VIEWS["system"][1])
        self.browser.requests()
        self.browser.wait(lambda: any("/system" in url for url in self.browser.requests()))
        self.assertFalse(any("/live" in url or "/picture" in url
                             for url in self.browser.requests()))
        self.assertEqual(self.browser.all("img[src*=live]"), [])

    def test_the_last_hour_can_be_read_by_keyboard(self):
        self.open_view("look")
        strip = self.browser.find(".strip")
        self.browser.wait(lambda: "%" in strip.get_attribute("aria-valuetext"))
        strip.send_keys(Keys.HOME)
        first = strip.get_attribute("aria-valuetext")
        self.assertRegex(first, r"^\d\d:\d\d:\d\d  class \d( \d+%)?  compute \d+%")
        strip.send_keys(Keys.ARROW_RIGHT)
        self.browser.wait(lambda: strip.get_attribute("aria-valuetext") != first)
        self.assertEqual(self.browser.find(".readout").text.split(),
                         strip.get_attribute("aria-valuetext").split())

    def test_settings_apply_at_once_by_keyboard_only(self):
        def settings():
            return {one["key"]: one["value"] for one in
                    self.api("cameras/yard/settings?look=gate")["settings"]}

        self.browser.open(self.url, ".tile")
        self.browser.tab_to(lambda element: "skip" in element.get_attribute("class"))
        self.browser.press(Keys.ENTER)
        self.browser.tab_to(lambda element: element.get_attribute("href") == f"{self.url}#/camera/yard")
        self.browser.press(Keys.ENTER)
        self.browser.find(".setting input")
        self.assertEqual(self.browser.focused().text, "yard")
        chooser = self.browser.tab_to(lambda element: element.tag_name == "select")
        self.browser.press("g")
        self.browser.find("h2", "Settings of gate")
        slider = self.browser.tab_to(lambda element: element.get_attribute("type") == "range")
        del chooser
        self.browser.press(Keys.HOME)
        self.browser.wait(lambda: settings()["compute"] == 0)
        self.browser.press(*[Keys.ARROW_RIGHT] * 4)
        self.browser.wait(lambda: abs(settings()["compute"] - 0.04) < 1e-6)
        self.browser.wait(lambda: slider.get_attribute("value") == "0.04")
        save = self.browser.tab_to(lambda element: "key file" in element.text)
        self.browser.press(Keys.ENTER)
        self.browser.find("span", "Written to the key file.")
        self.assertTrue(save.is_displayed())
        with open(self.case.path("watch.conf"), encoding="utf-8") as file:
            look = file.read().split("[look gate]")[1]
        self.assertRegex(look, r"(?m)^compute *= *0\.04")
        self.browser.click("button[aria-label='Compute (the dial): back to the default']")
        self.browser.wait(lambda: settings()["compute"] != 0.04)

    def test_a_refused_setting_is_said_and_taken_back(self):
        self.open_view("camera")
        number = self.browser.field("Threshold")
        before = number.get_attribute("value")
        self.browser.run("arguments[0].removeAttribute('max')", number)
        number.send_keys(Keys.CONTROL + "a" + Keys.NULL, "7", Keys.TAB)
        self.browser.find(".toast.error", "threshold")
        self.browser.wait(lambda: number.get_attribute("value") == before)
        # The console says what the server answered: that is the only thing it may say.
        self.assertTrue(all("400" in error for error in self.browser.errors()))


class Programs(PageTest):
    """Tests that start vitgate-watch anew."""

    def test_password(self):
        import subprocess

        from watch_case import WATCH

        made = subprocess.run([WATCH, "--page-password"], input="open sesame\n", text=True,
                              capture_output=True, check=True)
        secret = self.write("page.secret", made.stdout, 0o600)
        path = self.page({"yard": self.colours(red=25)}, {"password-file": secret})
        with self.serve(path):
            self.browser.open(self.url + "#/system", ".login")
            self.assertEqual(self.browser.nameless(), [])
            self.browser.fill("Password", "wrong").send_keys(Keys.ENTER)
            self.browser.find(".error", "password")
            self.browser.fill("Password", "open sesame").send_keys(Keys.ENTER)
            self.browser.find("h1", "System")
            self.browser.go(self.url + "#/", ".tile .label")
            self.browser.click("button", "Log out")
            self.browser.find(".login")
            self.assertEqual(self.browser.driver.get_cookies(), [])
            self.browser.run("location.reload()")
            self.browser.find(".login")

    def test_another_site_neither_shows_nor_changes_anything(self):
        def answer(request):
            request.send_response(200)
            request.send_header("Content-Type", "text/html")
            request.end_headers()
            request.wfile.write(b"<!doctype html><h1>Another site</h1>")

        with self.serve(self.page({"yard": self.colours(red=25)})) as watch, \
                HttpServer(answer) as site:
            watch.more_frames("yard")
            for host in "127.0.0.1", "localhost":  # the same site in the sense of browsers, and another
                self.browser.driver.get(site.url.replace("127.0.0.1", host))
                seen = self.browser.driver.execute_async_script(ALIEN, self.url)
                self.assertEqual(seen, ["refused"] * 5)
            # The browser sends the last one, and only hides the answer.
            self.assertEqual(self.api("teach")["tasks"], [])
            settings = {one["key"]: one["value"] for one in
                        self.api("cameras/yard/settings")["settings"]}
            self.assertNotEqual(settings["threshold"], 0.9)

    def test_reconnects_after_the_server_was_gone(self):
        path = self.page({"yard": self.colours(red=25)})
        with self.serve(path) as watch:
            self.browser.open(self.url, ".tile .label")
            self.browser.find("#connection", "Connected")
            watch.kill()
            self.browser.find("#connection.lost", "does not answer")
            self.browser.gone("img[src*=live]")
            with self.serve(path):
                self.browser.find("#connection", "Connected")
                self.browser.find(".badge", "Live")
                self.browser.find("img[src*=live]")
            watch.wait = lambda: 0  # it was killed

    def test_a_camera_that_dies_and_returns(self):
        with Server("--codec", "mjpeg") as camera:
            with self.serve(self.page({"yard": {"url": camera.url}})):
                self.browser.open(self.url, ".tile")
                self.browser.find(".badge", "Live")
                camera.send("die")
                self.browser.find(".gone", "No picture for")
                self.browser.find(".badge", "Lost")
                self.browser.find("h1 + p", "1 without a picture")
                with Server("--codec", "mjpeg", "--port", camera.port):
                    self.browser.find(".badge", "Live")
                    self.browser.gone(".gone")

    def test_a_thousand_events_are_scrolled_and_filtered(self):
        start = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc)
        with open(self.path("log.events.jsonl"), "w", encoding="utf-8") as file:
            for i in range(1000):
                at = start + datetime.timedelta(minutes=11 * i)
                file.write(json.dumps({
                    "event": ("appeared", "vanished")[i % 2], "stream_id": ("old", "yard")[i // 2 % 2],
                    "wall_clock": at.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
                    "label": f"cat {i % 99}", "score": 0.5, "running_time": i}) + "\n")
        with self.serve(self.page({"yard": self.colours(red=25)})):
            self.browser.open(self.url + "#/events", ".event")

            def scroll():
                self.browser.run("scrollTo(0, document.body.scrollHeight)")
                return "that is all" in self.browser.find(".foot").text

            self.browser.wait(scroll, "the end of the list")
            rows = self.browser.run("return [...document.querySelectorAll('.what')].map((one) => "
                                    "one.textContent).filter((text) => text.startsWith('cat'))")
            self.assertEqual([text.split()[1] for text in rows],
                             [str(i % 99) for i in range(999, -1, -1)])
            days = {(start + datetime.timedelta(minutes=11 * i)).astimezone().date()
                    for i in range(1000)}
            self.assertEqual(len(self.browser.all(".day")), len(days) + 1)  # and today
            self.browser.fill("Label", "cat 77").send_keys(Keys.ENTER)
            self.browser.find(".foot", "10 events")
            self.browser.fill("Event", "Vanished")
            self.browser.find(".foot", "5 events")
            self.assertIn("event=vanished", self.browser.driver.current_url)
            self.browser.fill("Camera", "yard")
            self.browser.wait(lambda: "5 events" not in self.browser.find(".foot").text)
            # The address alone brings the same list.
            self.browser.open(self.url + "#/events?label=cat+77&event=vanished", ".event")
            self.browser.find(".foot", "5 events")
            self.browser.click("button", "Clear")
            self.browser.wait(lambda: len(self.browser.all(".event")) >= 50)

    def test_two_browsers_see_the_same(self):
        other = Browser()
        self.addCleanup(other.close)
        with Server("--codec", "mjpeg") as camera:
            with self.serve(self.page({"yard": {"url": camera.url}})):
                for browser in self.browser, other:
                    browser.open(self.url, ".tile .label")
                    browser.find("img[src*=live]")
                    browser.go(self.url + "#/events", ".event")
                camera.send("die")
                for browser in self.browser, other:
                    browser.find(".news", "new event")
                    browser.click(".news")
                    browser.find(".kind", "Lost")
                self.browser.go(self.url + "#/camera/yard", ".setting input")
                self.browser.fill("Threshold", "0.4").send_keys(Keys.TAB)
                self.browser.find("span", "Applied")
                other.go(self.url + "#/camera/yard", ".setting input")
                other.wait(lambda: other.field("Threshold").get_attribute("value") == "0.4")


if __name__ == "__main__":
    unittest.main(verbosity=2)
