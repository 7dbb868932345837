"""Chromium with the page of vitgate-watch, for the tests test_page_*.py.

Skips where chromium, chromedriver or python3-selenium is missing. Environment: see watch_case.py.
"""

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from cameras import LIMIT, make_clip, plain_environment, skip_all
from watch_case import Watch, WatchTest

try:
    from selenium import webdriver
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    skip_all("package python3-selenium is not installed")

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if not CHROMIUM or not DRIVER:
    skip_all("packages chromium and chromium-driver are not installed")

AXE = "axe-core@4.10.2"
OBSERVER = """
window.layoutShift = 0;
window.shifted = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    window.layoutShift += entry.value;
    for (const source of entry.sources) {
      window.shifted.push(source.node?.className || source.node?.nodeName);
    }
  }
}).observe({type: 'layout-shift', buffered: true});
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def axe_source():
    """Returns the text of axe-core, or None: from npm, once for all runs."""
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")),
                         "vitgate-tests")
    path = os.path.join(cache, AXE + ".js")
    if not os.path.exists(path):
        with tempfile.TemporaryDirectory() as folder:
            with contextlib.suppress(OSError, subprocess.SubprocessError, KeyError, StopIteration):
                subprocess.run(["npm", "pack", AXE], cwd=folder, check=True, timeout=20,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                packed = next(os.scandir(folder)).path
                with tarfile.open(packed) as archive:
                    text = archive.extractfile("package/axe.min.js").read()
                os.makedirs(cache, exist_ok=True)
                with open(path + ".new", "wb") as file:
                    file.write(text)
                os.replace(path + ".new", path)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return file.read()


class Browser:
    """A Chromium of its own, without a window."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        # The load event waits for live pictures, which never end.
        options.page_load_strategy = "none"
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                         "--disable-dev-shm-usage", "--window-size=1280,800"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(
            DRIVER, env=plain_environment()))
        self.driver.set_script_timeout(LIMIT)
        self.cdp = self.driver.execute_cdp_cmd
        self.cdp("Page.addScriptToEvaluateOnNewDocument", {"source": OBSERVER})
        self.resize(1280, 800)

    def close(self):
        self.driver.quit()

    def resize(self, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})

    def prefer(self, scheme):
        self.cdp("Emulation.setEmulatedMedia",
                 {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def open(self, url, wanted="h1"):
        """Loads the page anew, and waits for an element of it."""
        self.driver.get("about:blank")
        self.wait(lambda: self.run("return location.href") == "about:blank")
        self.driver.get(url)
        self.wait(lambda: self.run("return location.href") == url)
        return self.find(wanted)

    def go(self, url, wanted="h1"):
        """Changes only what follows the # of the address."""
        self.run("location.href = arguments[0]", url)
        return self.find(wanted)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, wanted, what="", limit=LIMIT / 4):
        end = time.monotonic() + limit
        while True:
            with contextlib.suppress(StaleElementReferenceException):
                found = wanted()
                if found:
                    return found
            if time.monotonic() > end:
                text = self.run("return document.body.innerText")
                raise AssertionError(f"not in the page: {what or wanted}\n{text[-1500:]}\n"
                                     f"{self.driver.get_log('browser')[-5:]}")
            time.sleep(0.03)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def find(self, selector, text=""):
        """Waits for a visible element that matches and holds a text, and returns it."""
        def look():
            return next((element for element in self.all(selector)
                         if element.is_displayed() and text in element.text), None)

        return self.wait(look, f"{selector} with \"{text}\"")

    def gone(self, selector, text=""):
        self.wait(lambda: not any(element.is_displayed() and text in element.text
                                  for element in self.all(selector)), f"no {selector} {text}")

    def click(self, selector, text=""):
        element = self.find(selector, text)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        return element

    def field(self, label):
        """Waits for the control with a label, and returns it."""
        script = """
            const label = [...document.querySelectorAll('label')].find((one) =>
              one.textContent.trim() === arguments[0]);
            return label ? label.control : null;"""
        return self.wait(lambda: self.run(script, label), f"the field {label}")

    def fill(self, label, value):
        control = self.field(label)
        if control.tag_name != "select":
            control.send_keys(Keys.CONTROL + "a" + Keys.NULL)
        control.send_keys(value)
        return control

    def press(self, *keys):
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        return self.driver.switch_to.active_element

    def tab_to(self, wanted, limit=80):
        """Presses Tab until what has the focus is wanted(). Returns it."""
        for _ in range(limit):
            self.press(Keys.TAB)
            if wanted(self.focused()):
                return self.focused()
        raise AssertionError("not reached with the Tab key")

    def errors(self):
        """Returns what the console said since the last call, apart from notes."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self):
        """Returns what was requested since the last call: {URL: bytes over the line, or None}"""
        urls, sizes = {}, {}
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            params = message["params"]
            if message["method"] == "Network.requestWillBeSent":
                urls[params["requestId"]] = params["request"]["url"]
            elif message["method"] == "Network.loadingFinished":
                sizes[params["requestId"]] = params["encodedDataLength"]
        return {url: sizes.get(number) for number, url in urls.items()}

    def shift(self):
        return self.run("return [window.layoutShift, window.shifted]")

    def nameless(self):
        """Returns the controls that have no accessible name."""
        nodes = self.cdp("Accessibility.getFullAXTree", {})["nodes"]
        controls = ("button", "link", "textbox", "searchbox", "combobox", "checkbox", "switch",
                    "slider", "spinbutton", "meter", "progressbar", "image", "dialog", "menuitem")
        return [node["role"]["value"] for node in nodes
                if not node["ignored"] and node["role"]["value"] in controls
                and not node.get("name", {}).get("value", "").strip()]

    def axe(self, source):
        """Returns what axe-core finds wrong."""
        self.run(source)
        result = self.driver.execute_async_script("""
            const done = arguments[0];
            axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}).then(done);""")
        return [f"{rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
                for rule in result["violations"] for node in rule["nodes"]]

    def screenshot(self):
        """Returns an image of Pillow, in RGB."""
        from PIL import Image

        return Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")


class PageTest(WatchTest):
    """Tests with one browser for all of a class, and programs of their own."""

    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)

    def setUp(self):
        super().setUp()
        # The page asks for its server, for ever.
        self.addCleanup(lambda: (self.browser.driver.get("about:blank"), self.browser.errors()))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"

    def page(self, cameras, page=(), **keys):
        """Writes a key file with a page. Returns its path."""
        path = self.configure(cameras, **keys)
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"[page]\nlisten=127.0.0.1:{self.port}\nfolder={self.folder}/page\n"
                       + "".join(f"{k}={v}\n" for k, v in dict(page).items()))
        return path

    def look(self, path, name, **keys):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"[look {name}]\n" + "".join(f"{k}={v}\n" for k, v in keys.items()))

    @contextlib.contextmanager
    def serve(self, path, **environment):
        """Runs vitgate-watch with a page until the end of a with-block."""
        with Watch(path, **environment) as watch:
            self.wait_for_page()
            yield watch

    def wait_for_page(self):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            with contextlib.suppress(urllib.error.HTTPError, OSError):
                urllib.request.urlopen(self.url, timeout=LIMIT).close()
                return
            time.sleep(0.03)
        raise AssertionError("the page is not served")

    def api(self, path, method="GET", body=None):
        request = urllib.request.Request(
            f"{self.url}api/v1/{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Origin": self.url.rstrip("/"), "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def colours(self, **frames):
        """Returns the keys of an endless camera that shows colours."""
        path = self.path("colours.mkv")
        make_clip(path, **frames)
        return {"url": "file://" + path, "real-time": "true", "repeat": "true"}


__all__ = ["Browser", "By", "Keys", "PageTest", "Watch", "axe_source", "free_port", "unittest"]
