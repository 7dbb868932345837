"""What goes wrong around the page of vitgate-watch: too many or silent clients, files that cannot be
written or are gone, a clock that jumps. Cameras go on, and messages say what is wrong.

Environment: see watch_case.py; CLOCK_SHIFT_LIBRARY is clock-shift.c, for LD_PRELOAD; without it, its
test is skipped.
"""

import contextlib
import datetime
import http.client
import os
import shutil
import socket
import subprocess
import unittest

from cameras import LIMIT, MODEL
from page_client import read_event
from test_page_pictures import EVENTS, Live, Page, PageTest, fill
from watch_case import WATCH, Watch

MAX_STREAMS = 64
STREAMS = b"vitgate_page_streams %d\n"


def open_streams(page, count):
    return [page.open("/stream") for _ in range(count)]


def wait_for_streams(watch, page, count):
    while STREAMS % count not in page.browser.get("/metrics").body:
        watch.status_where(lambda status: True)


def memory(watch):
    with open(f"/proc/{watch.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def check(path):
    """Returns what --check says about a key file."""
    return subprocess.run([WATCH, "--check", path], capture_output=True, text=True, timeout=LIMIT,
                          check=False).stderr


class Clients(PageTest):
    def test_streams_are_limited(self):
        with Watch(self.configure_page({"yard": self.endless()})) as watch:
            page = Page(watch)
            watch.more_frames("yard")
            streams = open_streams(page, MAX_STREAMS)
            self.assertEqual([answer.status for _, answer in streams], [200] * MAX_STREAMS)
            for path in "/stream", "/cameras/yard/live":
                connection, answer = page.open(path)
                self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "10"))
                self.assertIn(b"too many streams are open", answer.read())
                connection.close()
            # Whoever has a stream keeps it, and everything else works.
            for _, answer in streams[:2]:
                read_event(answer, "cameras")
            self.assertEqual(page.get("/cameras/yard")["skipped"], 0)
            for connection, answer in streams:
                answer.close()
                connection.close()
            wait_for_streams(watch, page, 0)
            with Live(page, "yard") as live:
                self.assertIsNotNone(live.picture())

    def test_who_never_reads_a_stream_is_dropped(self):
        cameras = {"yard": self.endless(), "gate": self.endless()}
        with Watch(self.configure_page(cameras), VITGATE_PAGE_TIMEOUT="1") as watch:
            page, clients = Page(watch), []
            for name in cameras:
                watch.more_frames(name)
            with Live(page, "yard") as live:
                live.picture()
            before = memory(watch)
            with contextlib.ExitStack() as stack:
                for path in ["/stream"] * 10 + ["/cameras/yard/live?width=1920"] * 10:
                    client = stack.enter_context(socket.socket())
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
                    client.connect((page.browser.host, page.browser.port))
                    client.sendall(f"GET /api/v1{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                    clients.append(client)
                # The first ones may have been dropped before the last ones have begun.
                for client in clients:
                    self.assertEqual(client.recv(12), b"HTTP/1.1 200")
                wait_for_streams(watch, page, 0)
                grown = memory(watch) - before
            for name in cameras:
                watch.more_frames(name)
                self.assertEqual(page.get(f"/cameras/{name}")["skipped"], 0)
        if "asan" not in os.environ.get("LD_PRELOAD", ""):  # which keeps freed memory for a while
            self.assertLess(grown, 30e6)

    def test_two_browsers_change_the_same(self):
        with Watch(self.configure_page({"yard": self.endless()})) as watch:
            pages = [Page(watch)]
            pages.append(pages[0])
            task = {"name": "gate", "camera": "yard", "region": [0, 0, 1, 1],
                    "classes": ["open", "closed"]}

            def both(method, path, *bodies):
                """Sends both requests before it reads an answer."""
                opened = []
                for page, body in zip(pages, bodies):
                    connection = http.client.HTTPConnection(page.browser.host, page.browser.port,
                                                            timeout=LIMIT)
                    connection.request(method, "/api/v1/teach" + path, body and str(body)
                                       .replace("'", '"'), {"Origin": page.browser.url})
                    opened.append(connection)
                statuses = []
                for connection in opened:
                    statuses.append(connection.getresponse().status)
                    connection.close()
                return sorted(statuses)

            watch.more_frames("yard")
            self.assertEqual(both("POST", "", task, task), [201, 409])
            self.assertEqual(both("PATCH", "/gate", {"classes": ["open", "closed"]},
                                  {"classes": ["open", "ajar"]}), [200, 200])
            # Either may have been the last one.
            self.assertEqual(pages[0].browser.ask("PATCH", "/api/v1/teach/gate",
                                                  {"classes": ["open", "ajar"]}).status, 200)
            os.makedirs(self.path("page/teach/gate/unsorted"), exist_ok=True)
            self.assertEqual(pages[0].browser.ask("GET", "/api/v1/cameras/yard/picture").status, 200)
            with open(self.path("page/teach/gate/unsorted/120000.jpg"), "wb") as file:
                file.write(pages[0].get("/cameras/yard/picture"))
            picture, = pages[0].get("/teach/gate/pictures")["pictures"]
            path = f"/gate/pictures/{picture['id']}"
            self.assertEqual(both("PUT", path, {"class": "open"}, {"class": "ajar"}), [204, 204])
            self.assertEqual(len(pages[0].get("/teach/gate/pictures")["pictures"]), 1)
            self.assertEqual(both("DELETE", path, None, None), [204, 404])
            self.assertEqual(both("DELETE", "/gate", None, None), [204, 404])


class Files(PageTest):
    def test_a_folder_that_cannot_be_written(self):
        in_the_way = self.write("file", "in the way\n")
        self.assertIn(f"[page] folder: {in_the_way}/page: {in_the_way} is not a folder",
                      check(self.configure_page({"yard": {"url": "file:///none"}},
                                                page={"folder": f"{in_the_way}/page"})))
        os.mkdir(self.path("page"))
        for name in "snapshots", "teach":
            self.write(f"page/{name}", "in the way\n")
        os.mkdir(self.path("page/events.jsonl"))
        path = self.configure_page({"yard": self.endless(frames=10, **EVENTS)}, log=None)
        with Watch(path) as watch:
            page = Page(watch)
            watch.message("page/snapshots: Not a directory; events have no pictures until")
            watch.message("page/events.jsonl: Is a directory; the page loses events")
            answer = page.browser.ask("POST", "/api/v1/teach", {
                "name": "gate", "camera": "yard", "region": [0, 0, 1, 1], "classes": ["a", "b"]})
            self.assertGreaterEqual(answer.status, 400)
            self.assertIn("page/teach", answer.error)
            messages = "\n".join(page.get("/system")["messages"])
            self.assertIn("events have no pictures until", messages)
            self.assertIn("the page loses events", messages)
            watch.more_frames("yard")
            with Live(page, "yard") as live:
                self.assertIsNotNone(live.picture())
            os.unlink(self.path("page/snapshots"))
            watch.message("snapshots: pictures can be written again")

    def test_a_key_file_on_a_full_disk(self):
        disk, mount = self.small_disk('cp "$1" "$0" && shift && ')
        path = self.configure_page({"yard": self.endless()})
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with Watch(f"{disk}/watch.conf", [*mount, path]) as watch:
            page = Page(watch)
            watch.more_frames("yard")
            inside = f"/proc/{watch.process.pid}/root{disk}"
            fill(inside)
            settings = "/api/v1/cameras/yard/settings"
            answer = page.browser.ask("PATCH", settings, {"threshold": 0.25})
            self.assertEqual(answer.status, 200)
            answer = page.browser.ask("POST", settings + "/save")
            self.assertEqual((answer.status, "No space left" in answer.error), (409, True))
            with open(f"{inside}/watch.conf", encoding="utf-8") as file:
                self.assertEqual(file.read(), text)
            os.unlink(f"{inside}/filler")
            self.assertEqual(page.browser.ask("POST", settings + "/save").status, 204)
            self.assertEqual(sorted(os.listdir(inside)), ["watch.conf"])
            watch.more_frames("yard")

    def test_a_model_that_is_deleted(self):
        model = self.path("model.safetensors")
        shutil.copy(MODEL, model)
        cameras = {"yard": self.endless(**{"model": model}), "gate": self.endless()}
        path = self.configure_page(cameras)
        with Watch(path) as watch:
            page = Page(watch)
            watch.more_frames("yard")
            os.unlink(model)
            # It is in memory.
            watch.more_frames("yard")
            system = page.get("/system")
            self.assertIn((model, None), [(m["path"], m["bytes"]) for m in system["models"]])
            with open(path, "a", encoding="utf-8") as file:
                file.write("[look door]\ncamera=yard\nregion=0,0,50%,50%\n")
            since = len(watch.messages.lines)
            watch.reload()
            watch.message("model.safetensors", since)
            self.assertIn("model.safetensors",
                          watch.camera_where("yard", lambda c: c["last_error"])["last_error"])
            self.assertIn("model.safetensors", page.get("/cameras/yard")["last_error"])
            watch.more_frames("gate")
            shutil.copy(MODEL, model)
            watch.more_frames("yard")


class Clock(PageTest):
    @unittest.skipUnless(os.environ.get("CLOCK_SHIFT_LIBRARY"), "the clock cannot be shifted here")
    def test_a_clock_that_jumps(self):
        shift = self.write("shift", "0\n")
        path = self.configure_page({"yard": self.endless(frames=20, **EVENTS)})
        with Watch(path, LD_PRELOAD=os.environ["CLOCK_SHIFT_LIBRARY"], CLOCK_SHIFT=shift) as watch:
            page, years = Page(watch), []
            connection, stream = page.open("/stream")
            for seconds in 0, 86400 * 1000, -86400 * 1000, 0:
                # The program must not see half a number.
                os.replace(self.write("shift.new", f"{seconds}\n"), shift)
                frames = watch.more_frames("yard", 25)["frames"]
                now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
                newest = page.wait_for_events(lambda events: any(
                    event["snapshot"] and event["wall_clock"][:10] == f"{now:%Y-%m-%d}"
                    for event in events))[0]
                years.append(now.year)
                while read_event(stream, "cameras")["cameras"][0]["frames"] < frames:
                    pass
                history = page.get("/cameras/yard/history")
                self.assertEqual(history["end"][:4], newest["wall_clock"][:4])
                self.assertGreater(len(history["samples"]), 0)
                self.assertLess(page.get("/cameras/yard")["age_seconds"], LIMIT)
                # No camera plays while the clip begins anew.
                while page.browser.get("/healthz").body != b"ok\n":
                    watch.more_frames("yard")
            connection.close()
            # The order is that of the log.
            order = [int(event["wall_clock"][:4]) for event in page.all_events()]
            self.assertEqual([year for i, year in enumerate(order) if year != order[i - 1] or not i],
                             years[::-1])


if __name__ == "__main__":
    unittest.main()
