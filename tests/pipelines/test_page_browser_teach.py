"""Teaching in the page of vitgate-watch, clicked through in Chromium. Environment: see watch_case.py;
VITGATE_COMMAND is the command vitgate."""

import os
import sys

from browser_case import Keys, PageTest, unittest
from cameras import HERE, play_file
from selenium.webdriver.common.action_chains import ActionChains

sys.path.insert(0, os.path.join(HERE, "../models"))
import colour_model  # noqa: E402

# Pictures that differ from each other, of two kinds: in the first, the left half is bright.
SHADES = [0x20, 0x60, 0xa0]


def make_halves(path):
    """Makes a clip that shows each picture for a second: half red or half blue, in some shades."""
    parts = []
    for colour in ("FF{0:02X}{1:02X}", "{0:02X}{1:02X}FF"):
        for i, shade in enumerate(SHADES):
            solid = colour.format(shade, SHADES[-1 - i])
            parts.append(f"videotestsrc num-buffers=10 pattern=solid-color "
                         f"foreground-color=0xFF{solid} ! video/x-raw,width=160,height=120,"
                         "framerate=10/1 ! join. ")
    play_file("concat name=join ! jpegenc ! matroskamux ! filesink name=file " + "".join(parts),
              path)


class Teach(PageTest):
    def setUp(self):
        super().setUp()
        colour_model.write_model(self.path("deit-tiny-imagenet1k.safetensors"))
        make_halves(self.path("halves.mkv"))
        folder = os.path.dirname(os.environ["VITGATE_COMMAND"])
        self.environment = {"VITGATE_MODEL_DIR": self.folder,
                            "PATH": f"{folder}:{os.environ['PATH']}"}

    def open_new(self):
        self.browser.open(self.url + "#/teach", ".intro")
        self.browser.click("a", "New state")
        return self.browser.find(".drag")

    def numbers(self):
        return [float(number.get_attribute("value"))
                for number in self.browser.all(".numbers input")]

    def drag(self, left, top, right, bottom):
        """Drags over a part of the picture, in shares of it."""
        layer = self.browser.find(".picker")
        box = layer.rect
        actions = ActionChains(self.browser.driver)
        actions.move_to_element_with_offset(layer, round((left - 0.5) * box["width"]),
                                            round((top - 0.5) * box["height"]))
        actions.click_and_hold()
        actions.move_by_offset(round((right - left) * box["width"]),
                               round((bottom - top) * box["height"]))
        actions.release().perform()

    def model_of_camera(self):
        looks = self.api("cameras/yard")["looks"]
        return [look["name"] for look in looks], [look["label"] for look in looks]

    def shown_colour(self):
        """Returns the colour of the picture to sort."""
        return self.browser.run("""
            const image = document.querySelector('.candidate img');
            if (!image.complete || !image.naturalWidth) return null;
            const canvas = document.createElement('canvas');
            canvas.width = canvas.height = 1;
            const pen = canvas.getContext('2d');
            pen.drawImage(image, 0, 0, 1, 1);
            const [red, , blue] = pen.getImageData(0, 0, 1, 1).data;
            return red > blue ? 'red' : 'blue';""")

    def test_from_a_camera_to_its_new_state(self):
        path = self.page({"yard": {"url": "file://" + self.path("halves.mkv"), "real-time": "true",
                                   "repeat": "true",
                                   "model": self.path("deit-tiny-imagenet1k.safetensors")}})
        browser = self.browser
        with self.serve(path, **self.environment):
            self.open_new()
            self.drag(0.25, 0.25, 0.75, 0.75)
            for number, wanted in zip(self.numbers(), (25, 25, 50, 50)):
                self.assertAlmostEqual(number, wanted, delta=1)
            # The same by keyboard
            left = browser.field("Left")
            left.clear()
            left.send_keys("10", Keys.TAB)
            self.assertEqual(self.numbers()[0], 10)
            browser.fill("Name", "gate")
            for number, name in (1, "red"), (2, "blue"):
                state = browser.find(f"input[aria-label='State {number}']")
                state.clear()
                state.send_keys(name)
            browser.click("button", "Continue")
            browser.find("h1", "gate")

            # At least two pictures of each state come in, and are sorted by keys.
            sorted_ones = {"red": 0, "blue": 0}
            while min(sorted_ones.values()) < 2:
                picture = browser.find(".candidate img")
                colour = browser.wait(self.shown_colour, "a picture to sort")
                shown = picture.get_attribute("data-id")
                browser.press("1" if colour == "red" else "2")
                sorted_ones[colour] += 1
                browser.wait(lambda: picture.get_attribute("data-id") != shown
                             or not picture.is_displayed(), "the next picture")
            browser.press("u")
            browser.find(".tabs button", "To sort")
            browser.press("1" if colour == "red" else "2")
            counts = {c["name"]: c["pictures"] for c in self.api("teach/gate")["classes"]}
            self.assertEqual(set(counts), set(sorted_ones))
            browser.click("input[type=checkbox]")  # collecting off

            browser.click("button", "Teach")
            browser.find(".lesson-result", "100%")
            table = browser.find(".confusion")
            self.assertEqual([cell.text for cell in table.find_elements("css selector", "td.wrong")], [])
            self.assertEqual(browser.nameless(), [])
            browser.click("button", "Use it")
            browser.wait(lambda: set(self.model_of_camera()[1]) & {"red", "blue"}, "the new look")
            browser.find("p", "The camera uses a model")
            self.assertEqual(browser.errors(), [])

            # Both states are seen in the view of the camera.
            browser.go(self.url + "#/camera/yard")
            for state in "red", "blue":
                browser.find(".look", state)

            browser.go(self.url + "#/teach/task/gate")
            browser.click("button", "Undo")
            browser.wait(lambda: not self.model_of_camera()[0], "the camera without the look")

            browser.click("button", "Delete")
            browser.click("dialog button", "Cancel")
            browser.click("button", "Delete")
            browser.click("dialog button", "Delete")
            browser.find("p", "Nothing is taught yet.")

    def test_what_is_wrong_is_said_where_it_is_entered(self):
        with self.serve(self.page({"yard": self.colours(red=25)}), **self.environment):
            for _ in range(2):
                self.open_new()
                self.browser.fill("Name", "gate")
                self.browser.click("button", "Continue")
                self.browser.wait(lambda: self.browser.find("h1").text == "gate"
                                  or self.browser.all(".error"))
                if self.browser.find("h1").text == "gate":
                    self.browser.find(".candidate")
                    self.assertFalse(self.browser.find("button", "Teach").is_enabled())
            self.browser.find(".error", "gate")


if __name__ == "__main__":
    unittest.main(verbosity=2)
