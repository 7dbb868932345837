"""Teaching in the page of vitgate-watch, clicked through in Chromium. Environment: see watch_case.py;
VITGATE_COMMAND is the command vitgate."""

import os
import sys

from browser_case import Keys, PageTest, unittest
from cameras import HERE
from selenium.webdriver.common.action_chains import ActionChains

sys.path.insert(0, os.path.join(HERE, "../models"))
import colour_model  # noqa: E402

# A second of each; those with much red are "warm".
COLOURS = {"red": 25, "green": 25, "white": 25, "blue": 25, "black": 25}
WARM, COLD = "warm", "cold"


class Teach(PageTest):
    def setUp(self):
        super().setUp()
        colour_model.write_model(self.path("deit-tiny-imagenet1k.safetensors"))
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

    def counts(self):
        return {one["name"]: one["pictures"] for one in self.api("teach/gate")["classes"]}

    def model_of_camera(self):
        looks = self.api("cameras/yard")["looks"]
        return [look["name"] for look in looks], [look["label"] for look in looks]

    def shown_state(self):
        """Returns the state of the picture to sort."""
        return self.browser.run("""
            const image = document.querySelector('.candidate img');
            if (!image.complete || !image.naturalWidth) return null;
            const canvas = document.createElement('canvas');
            canvas.width = canvas.height = 1;
            const pen = canvas.getContext('2d');
            pen.drawImage(image, 0, 0, 1, 1);
            const [red] = pen.getImageData(0, 0, 1, 1).data;
            return red > 128 ? 'warm' : 'cold';""")

    def test_from_a_camera_to_its_new_state(self):
        path = self.page({"yard": {**self.colours(**COLOURS),
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
            for number, name in (1, WARM), (2, COLD):
                state = browser.find(f"input[aria-label='State {number}']")
                state.clear()
                state.send_keys(name)
            browser.click("button", "Continue")
            browser.find("h1", "gate")

            # At least two pictures of each state come in, and are sorted by keys.
            sorted_ones = {WARM: 0, COLD: 0}
            while min(sorted_ones.values()) < 2:
                picture = browser.find(".candidate img")
                state = browser.wait(self.shown_state, "a picture to sort")
                shown = picture.get_attribute("data-id")
                browser.press("1" if state == WARM else "2")
                sorted_ones[state] += 1
                browser.wait(lambda: picture.get_attribute("data-id") != shown
                             or not picture.is_displayed(), "the next picture")
            browser.press("u")
            browser.wait(lambda: self.counts() != sorted_ones, "one picture less")
            browser.wait(lambda: picture.get_attribute("data-id") == shown, "the picture again")
            browser.press("1" if state == WARM else "2")
            browser.wait(lambda: self.counts() == sorted_ones, "all pictures again")
            browser.click("input[type=checkbox]")  # collecting off

            browser.click(".lesson button", "Teach")
            browser.find(".lesson-result", "right in cross-validation")
            cells = [int(cell.text) for cell in browser.all(".confusion tbody td")]
            self.assertEqual(sum(cells), sum(sorted_ones.values()))
            self.assertEqual(browser.nameless(), [])
            browser.click("button", "Use it")
            browser.wait(lambda: set(self.model_of_camera()[1]) & {WARM, COLD}, "the new look")
            browser.find("p", "The camera uses a model")
            self.assertEqual(browser.errors(), [])

            # Both states are seen in the view of the camera.
            browser.go(self.url + "#/camera/yard")
            for state in WARM, COLD:
                browser.find(".look", state)

            browser.go(self.url + "#/teach/task/gate")
            browser.click(".lesson button", "Undo")
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
