"""The page of vitgate-watch over HTTP: live pictures, snapshots, events and the last hour.

Environment: see watch_case.py.
"""

import contextlib
import glob
import io
import json
import os
import subprocess
import time
import unittest
import urllib.parse

from PIL import Image

from cameras import LIMIT, Server
from page_client import Browser, page_url
from watch_case import Watch, WatchTest

# A label appears at once, and then the state is known.
EVENTS = {"labels": "class 0;class 1;class 2;class 3;class 4", "threshold": 0, "keep-threshold": 0,
          "top-k": 10, "appear-after": 0}


class Page:
    """Talks to the page of a Watch."""

    def __init__(self, watch):
        self.browser = Browser(page_url(watch))

    def open(self, path, **query):
        """Returns connection and answer, whose body was not read."""
        path = "/api/v1" + urllib.parse.quote(path)
        return self.browser.open("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""))

    def get(self, path, expected=200, **query):
        """Returns the body: of JSON, as an object."""
        connection, answer = self.open(path, **query)
        with contextlib.closing(connection):
            data = answer.read()
        assert answer.status == expected, (path, query, answer.status, data[:300])
        is_json = answer.headers["Content-Type"].startswith("application/json")
        return json.loads(data) if is_json else data

    def events(self, **query):
        return self.get("/events", **query)["events"]

    def wait_for_events(self, wanted, **query):
        end = time.monotonic() + LIMIT
        while not wanted(events := self.events(**query)):
            assert time.monotonic() < end, events
            time.sleep(0.02)
        return events

    def all_events(self, **query):
        """Returns the events of all pages."""
        events, page = [], {"next": ""}
        while page["next"] is not None:
            page = self.get("/events", before=page["next"], **query)
            events += page["events"]
        return events


class Live:
    """Live pictures, until the end of a with-block."""

    def __init__(self, page, name, **query):
        self.connection, self.answer = page.open(f"/cameras/{name}/live", **query)
        assert self.answer.status == 200, self.answer.read()
        assert self.answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
        self.begun = False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.answer.close()
        self.connection.close()

    def picture(self):
        """Returns the next picture, decoded; None at the end of the stream."""
        if not self.begun:
            assert self.answer.readline() in (b"--frame\r\n", b"")
        self.begun = True
        length = 0
        while (line := self.answer.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        data = self.answer.read(length)
        if not line or len(data) < length:
            return None
        tail = self.answer.read(len(b"\r\n--frame\r\n"))
        assert tail in (b"\r\n--frame\r\n", b""), tail
        return decode(data)


def fill(folder):
    """Fills the disk of a folder with the file "filler"."""
    with open(f"{folder}/filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(bytes(4096))


def decode(jpeg):
    image = Image.open(io.BytesIO(jpeg))
    image.load()
    return image


class PageTest(WatchTest):
    def configure_page(self, cameras, page=(), **options):
        """Writes a key file with a page; its cameras report events."""
        path = self.configure(cameras, **options)
        keys = {"listen": "127.0.0.1:0", "folder": self.path("page"), **dict(page)}
        with open(path, "a", encoding="utf-8") as file:
            file.write("[page]\n" + "".join(f"{k}={v}\n" for k, v in keys.items()))
        return path

    def small_disk(self, before=""):
        """Returns a folder and a command that starts a program which sees a disk of 256 kB there.

        before: commands of the shell; "$0" is the folder
        """
        folder = self.path("disk")
        os.mkdir(folder)
        mount = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                 f'mount -t tmpfs -o size=256k,nr_inodes=100 tmpfs "$0" && {before}exec "$@"', folder]
        if subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs",
                           "tmpfs", folder], capture_output=True, check=False).returncode:
            self.skipTest("cannot mount a file system, not even in a separate namespace")
        return folder, mount

    def snapshots(self):
        return sorted(glob.glob(self.path("page/snapshots/*.jpg")))


class Pictures(PageTest):
    def test_one_picture(self):
        with Watch(self.configure_page({"yard 1": self.endless()})) as watch:
            page = Page(watch)
            watch.more_frames("yard 1")
            self.assertEqual(decode(page.get("/cameras/yard 1/picture")).size, (160, 120))
            self.assertEqual(decode(page.get("/cameras/yard 1/picture", width=1)).size, (160, 120))
            for width in "0", "-1", "x", "99999":
                error = page.get("/cameras/yard 1/picture", expected=400, width=width)["error"]
                self.assertRegex(error, "width: expected a whole number")
            for path in "picture", "live", "history":
                error = page.get(f"/cameras/door/{path}", expected=404)["error"]
                self.assertEqual(error, 'there is no camera "door"')

    def test_a_camera_without_frames_has_no_picture(self):
        with Watch(self.configure_page({"yard": {"url": "file:///none"}})) as watch:
            page = Page(watch)
            error = page.get("/cameras/yard/picture", expected=404)["error"]
            self.assertEqual(error, "camera yard has no picture now")
            with Live(page, "yard"):
                watch.camera_where("yard", lambda camera: camera["attempts"] > 2)

    def test_live_pictures_follow_the_camera(self):
        with Watch(self.configure_page({"yard": self.endless(frames=20)})) as watch:
            page = Page(watch)
            with Live(page, "yard") as one, Live(page, "yard", width=100) as other:
                pictures = [one.picture() for _ in range(10)]
                self.assertEqual({picture.size for picture in pictures}, {(160, 120)})
                self.assertGreater(len({picture.tobytes() for picture in pictures}), 2)
                self.assertEqual(other.picture().size, (160, 120))

    def test_a_camera_that_dies_and_returns(self):
        with Server("--fps", "20") as server:
            with Watch(self.configure_page({"yard": {"url": server.url}})) as watch:
                page = Page(watch)
                with Live(page, "yard") as live:
                    self.assertIsNotNone(live.picture())
                    for _ in range(2):
                        server.send("stall")
                        server.send("drop")
                        watch.camera_where("yard", lambda camera: camera["state"] != "playing")
                        page.get("/cameras/yard/picture", expected=404)
                        server.send("resume")
                        self.assertIsNotNone(live.picture())
                        watch.more_frames("yard")
                        self.assertIsNotNone(live.picture())
                        self.assertEqual(decode(page.get("/cameras/yard/picture")).size, (160, 120))

    def test_streams_end_when_the_camera_is_removed(self):
        cameras = {"yard": self.endless(), "door": self.endless()}
        with Watch(self.configure_page(cameras)) as watch:
            page = Page(watch)
            with Live(page, "yard") as live, Live(page, "door") as other:
                self.assertIsNotNone(live.picture())
                del cameras["yard"]
                self.configure_page(cameras)
                self.assertIn("reloaded", watch.reload())
                while live.picture():
                    pass
                self.assertIsNotNone(other.picture())

    def test_viewers_that_never_read_disturb_nobody(self):
        with Watch(self.configure_page({"yard": self.endless()})) as watch:
            page = Page(watch)
            watch.more_frames("yard")
            with contextlib.ExitStack() as stack:
                for _ in range(10):
                    stack.enter_context(Live(page, "yard"))
                with Live(page, "yard") as live:
                    for _ in range(20):
                        self.assertIsNotNone(live.picture())
                watch.more_frames("yard", 20)
            skipped = watch.camera_where("yard", lambda camera: True)["skipped"]
        self.assertEqual(skipped, 0)

    def test_the_program_ends_while_somebody_looks(self):
        with Watch(self.configure_page({"yard": self.endless()})) as watch:
            live = Live(Page(watch), "yard")
            self.assertIsNotNone(live.picture())
        with live:
            while live.picture():
                pass


class Events(PageTest):
    def test_events_have_snapshots(self):
        path = self.configure_page({"yard": self.endless(20, **EVENTS)})
        with open(path, "a", encoding="utf-8") as file:
            file.write("[look gate]\ncamera=yard\nregion=25%,25%,50%,50%\nlabels=class 5\n")
        with Watch(path) as watch:
            page = Page(watch)
            events = page.wait_for_events(lambda events: len(events) >= 8)
            for event in events:
                self.assertEqual(event["snapshot"], event["event"] == "appeared", event)
                status = 200 if event["snapshot"] else 404
                jpeg = page.get(f"/events/{event['id']}/snapshot", expected=status)
                if event["snapshot"]:
                    image = decode(jpeg)
                    self.assertEqual(image.size, (160, 120))
                    comment = json.loads(image.info["comment"])
                    same = {**comment["event"], "id": event["id"], "snapshot": True}
                    self.assertEqual(same, event)
                    region = "25%,25%,50%,50%" if event.get("look") else None
                    self.assertEqual(comment["region"], region)
            for wrong in "x", events[0]["id"] + "0", "..", "%2e%2e%2fwatch.conf":
                page.get(f"/events/{wrong}/snapshot", expected=404)
            kept = [event["id"] for event in page.events()]
        with Watch(self.configure_page({"yard": {"url": "file:///none"}})) as watch:
            page = Page(watch)
            events = page.wait_for_events(lambda events: len(events) > len(kept), limit=500)
            self.assertTrue(set(kept) <= {event["id"] for event in events})
            for event in events:
                if event["snapshot"]:
                    decode(page.get(f"/events/{event['id']}/snapshot"))

    def test_a_thousand_events(self):
        events = [{"event": "state" if i % 3 == 0 else "appeared", "stream_id": f"camera {i % 2}",
                   "wall_clock": f"2026-11-28T{i // 60:02}:{i % 60:02}:00.000000Z", "n": i,
                   **({"from": "open", "to": "geschlossen ✓"} if i % 3 == 0 else {"label": "<b>"})}
                  for i in range(1000)]
        for number in 0, 1:
            part = events[600:] if number == 0 else events[:600]
            self.write("log.events.jsonl" + (".1" if number else ""), "".join(
                json.dumps(event, ensure_ascii=False, separators=(",", ":")) + "\n"
                for event in part))
        with Watch(self.configure_page({"yard": {"url": "file:///none"}})) as watch:
            page = Page(watch)
            watch.camera_where("yard", lambda camera: camera["attempts"] > 0)

            def numbers(**query):
                return [event["n"] for event in page.all_events(**query) if "n" in event]

            self.assertEqual(numbers(), list(range(999, -1, -1)))
            self.assertEqual(numbers(limit=7, camera="camera 1"), list(range(999, -1, -2)))
            self.assertEqual(numbers(label="geschlossen ✓"), list(range(999, -1, -3)))
            self.assertEqual(numbers(label="<b>", event="state"), [])
            self.assertEqual(numbers(since="2026-11-28T16:00:00Z"), list(range(999, 959, -1)))
            self.assertEqual(numbers(until="2026-11-28T01:00:00+01:00", limit=500), [0])
            self.assertEqual(len({event["id"] for event in page.all_events()}),
                             len(page.all_events()))
            for query, message in [({"since": "yesterday"}, "since: expected a time such as"),
                                   ({"limit": 501}, "limit: expected a whole number"),
                                   ({"before": "7"}, "before=7: expected the id of an event")]:
                self.assertIn(message, page.get("/events", expected=400, **query)["error"])
            missing = "1795960992000000-9f3a2b1c"
            self.assertIn("no event has the id",
                          page.get("/events", expected=404, before=missing)["error"])

    def test_without_a_log_the_page_keeps_events(self):
        path = self.configure_page({"yard": self.endless(5, **EVENTS)}, log=None)
        with Watch(path) as watch:
            page = Page(watch)
            first = page.wait_for_events(lambda events: "ended" in [e["event"] for e in events])
            self.assertIn("connected", [event["event"] for event in first])
        with Watch(self.configure_page({"yard": {"url": "file:///none"}}, log=None)) as watch:
            page = Page(watch)
            again = page.wait_for_events(lambda events: len(events) > len(first))
            self.assertEqual(again[-len(first):], first)

    def test_pictures_are_whole_after_a_kill(self):
        path = self.configure_page({"yard": self.endless(frames=10, **EVENTS)},
                                   page={"snapshots": "100K"})
        for round in range(4):
            watch = Watch(path)
            have = len(self.snapshots())
            page = Page(watch)
            page.wait_for_events(lambda events: sum(e["snapshot"] for e in events) > 3 * round)
            end = time.monotonic() + LIMIT
            while len(self.snapshots()) < min(have + 1, 8):
                self.assertLess(time.monotonic(), end)
            watch.kill()
            for name in self.snapshots():
                with open(name, "rb") as file:
                    decode(file.read())
            self.assertLessEqual(sum(os.path.getsize(name) for name in self.snapshots()), 100 << 10)
        self.write("page/snapshots/.new-1", "half of a picture")
        with Watch(path) as watch:
            watch.more_frames("yard")
        # While it runs, it may be writing the next one.
        self.assertEqual(glob.glob(self.path("page/snapshots/.new-*")), [])

    def test_a_full_disk(self):
        folder, mount = self.small_disk()
        path = self.configure_page({"yard": self.endless(frames=10, **EVENTS)},
                                   page={"folder": f"{folder}/page"})
        with Watch(path, mount) as watch:
            page = Page(watch)
            watch.message("connected")
            inside = f"/proc/{watch.process.pid}/root{folder}"
            fill(inside)
            watch.message("snapshots: No space left on device; events have no pictures until")
            watch.more_frames("yard", 20)
            self.assertIn("No space left on device; events have no pictures until",
                          "\n".join(page.get("/system")["messages"]))
            os.unlink(f"{inside}/filler")
            watch.message("snapshots: pictures can be written again")
            told = [line for line in watch.messages.lines if "No space left" in line]
            self.assertLessEqual(len(told), 2)
            page.wait_for_events(lambda events: any(event["snapshot"] for event in events))


class History(PageTest):
    def test_the_last_hour(self):
        cameras = {"yard": self.endless()}
        path = self.configure_page(cameras)
        with open(path, "a", encoding="utf-8") as file:
            file.write("[look gate]\ncamera=yard\nregion=25%,25%,50%,50%\nstate=true\n")
        with Watch(path) as watch:
            page = Page(watch)
            watch.more_frames("yard", 60)
            history = page.get("/cameras/yard/history")
            self.assertEqual(history["step_seconds"], 2)
            self.assertGreaterEqual(len(history["samples"]), 2)
            for sample in history["samples"]:
                self.assertEqual(sorted(sample), ["compute_ratio", "label", "latency_ms", "score",
                                                  "state", "time"])
                self.assertGreater(sample["score"], 0)
                self.assertLessEqual(sample["time"], history["end"])
            self.assertGreater(history["samples"][0]["latency_ms"], 0)
            look = page.get("/cameras/yard/history", look="gate")
            self.assertGreater(len(look["samples"]), 0)
            del look["samples"][0]["time"], history["samples"][0]["time"]  # counted from the answer
            self.assertEqual(look["samples"][0], history["samples"][0])
            self.assertEqual(page.get("/cameras/yard/history", look="none")["samples"], [])
            page.get("/cameras/yard/history", expected=400, seconds="3601")


if __name__ == "__main__":
    unittest.main()
