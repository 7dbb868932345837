"""The server of the page of vitgate-watch: who may do what, and bad clients. Environment: see
watch_case.py."""

import base64
import contextlib
import gzip
import http.client
import os
import re
import socket
import ssl
import subprocess
import time
import unittest

from cameras import LIMIT
from certificates import Authority
from page_client import Browser, page_url
from watch_case import WATCH, Watch, WatchTest

PASSWORD = "correct horse"
ROUTES = ("GET /api/v1/cameras", "GET /api/v1/cameras/yard", "GET /api/v1/cameras/yard/settings",
          "PATCH /api/v1/cameras/yard/settings", "POST /api/v1/cameras/yard/settings/save",
          "GET /api/v1/stream", "GET /api/v1/system", "GET /metrics", "GET /api/v1/nothing",
          "GET /nothing", "POST /", "PUT /metrics")
KEEPS = os.environ.get("PAGE_KEEPS_CONNECTIONS")
REQUEST = b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def hash_password(password):
    return subprocess.run([WATCH, "--page-password"], input=password + "\n", capture_output=True,
                          text=True, timeout=LIMIT, check=False)


def basic(password, user="prometheus"):
    """Returns the header of HTTP Basic authentication."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def cpu_seconds(watch):
    with open(f"/proc/{watch.process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def receive(client):
    """Returns what a socket gets until its end."""
    received = b""
    try:
        while chunk := client.recv(65536):
            received += chunk
    except ConnectionError:
        pass
    return received


def outer_address():
    """Returns the address of this machine that others see, or None. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            way.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = way.getsockname()[0]
    return None if address.startswith("127.") else address


class PageTest(WatchTest):
    def configure_page(self, cameras=None, **keys):
        path = self.configure(cameras or {"yard": {"url": "file:///none"}})
        with open(path, "a", encoding="utf-8") as file:
            file.write("[page]\n" + "".join(
                f"{key.replace('_', '-')}={value}\n"
                for key, value in {"listen": "127.0.0.1:0", **keys}.items()))
        return path

    def password_file(self):
        return self.write("password", hash_password(PASSWORD).stdout, 0o600)

    def check(self, path):
        """Returns what --check says about a key file."""
        return subprocess.run([WATCH, "--check", path], capture_output=True, text=True,
                              timeout=LIMIT, check=False).stderr


class Server(PageTest):
    def test_its_files_are_safe_and_small(self):
        with Watch(self.configure_page()) as watch:
            browser = Browser(page_url(watch))
            page = browser.get("/")
            zipped = browser.get("/", Accept_Encoding="gzip")
            known = browser.get("/", If_None_Match=page.headers["ETag"])
            head = browser.ask("HEAD", "/")
        self.assertEqual(page.status, 200)
        self.assertEqual(page.headers["Content-Type"], "text/html; charset=utf-8")
        self.assertRegex(page.headers["ETag"], '^"[0-9a-f]{32}"$')
        self.assertIn("default-src 'self'", page.headers["Content-Security-Policy"])
        self.assertNotIn("unsafe", page.headers["Content-Security-Policy"])
        self.assertEqual(page.headers["X-Content-Type-Options"], "nosniff")
        self.assertIsNone(page.headers["Server"])
        if zipped.headers["Content-Encoding"]:
            self.assertEqual(gzip.decompress(zipped.body), page.body)
            self.assertNotEqual(zipped.headers["ETag"], page.headers["ETag"])
        self.assertEqual((known.status, known.body), (304, b""))
        self.assertEqual((head.status, head.body), (200, b""))

    def test_without_a_password_all_is_open_but_changes_need_the_origin(self):
        with Watch(self.configure_page()) as watch:
            browser = Browser(page_url(watch))
            self.assertEqual(browser.get("/api/v1/session").json["password"], False)
            self.assertEqual(browser.get("/api/v1/cameras").status, 200)
            self.assertEqual(browser.get("/nothing").status, 404)
            self.assertEqual(browser.ask("PUT", "/api/v1/cameras", {}).status, 405)
            path = "/api/v1/cameras/yard/settings"
            for headers in ({"Origin": None}, {"Origin": "http://evil.example"},
                            {"Origin": "null"}, {"Origin": browser.url + "0"},
                            {"Origin": None, "Sec-Fetch-Site": "cross-site"}):
                with self.subTest(headers=headers):
                    answer = browser.ask("PATCH", path, {"compute": 0.5}, headers)
                    self.assertEqual((answer.status, "Origin" in answer.error), (403, True))
            for headers in {}, {"Origin": None, "Sec-Fetch-Site": "same-origin"}:
                self.assertEqual(browser.ask("PATCH", path, {"compute": 0.5}, headers).status, 200)
            self.assertEqual(browser.get("/api/v1/cameras", Sec_Fetch_Site="cross-site").status, 403)
            self.assertEqual(browser.get("/", Sec_Fetch_Site="cross-site").status, 200)

    def test_other_hosts_do_not_lead_here(self):
        with Watch(self.configure_page(hosts="watch.example; box")) as watch:
            browser = Browser(page_url(watch))
            for host in "evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1", "":
                answer = browser.get("/api/v1/cameras", Host=host)
                self.assertIn(answer.status, (400, 421), host)
            for host in "localhost", "LOCALHOST:1", "box", "watch.example:8470", "192.168.1.7", \
                    "[fe80::1]:8470":
                self.assertEqual(browser.get("/api/v1/cameras", Host=host).status, 200, host)
            with socket.create_connection((browser.host, browser.port), LIMIT) as client:
                client.sendall(b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertIn(b" 421 ", client.recv(100))

    def test_a_password_opens_a_session(self):
        path = self.configure_page({"yard": {"url": "file:///none"}},
                                   password_file=self.password_file())
        with Watch(path) as watch:
            browser, other = Browser(page_url(watch)), Browser(page_url(watch))
            for route in ROUTES:
                method, target = route.split()
                answer = browser.ask(method, target, None if method == "GET" else {})
                self.assertEqual((answer.status, answer.error), (401, "log in first"), route)
            for target in "/", "/healthz", "/api/v1/session":
                self.assertIn(browser.get(target).status, (200, 503), target)
            self.assertEqual(browser.log_in("wrong").status, 403)
            answer = browser.log_in(PASSWORD)
            cookie = answer.headers["Set-Cookie"]
            self.assertEqual(answer.status, 204)
            self.assertRegex(cookie, r"^vitgate-\d+=[0-9a-f]{64}; Path=/; Max-Age=\d+; HttpOnly; "
                                     r"SameSite=Strict$")
            self.assertTrue(browser.get("/api/v1/session").json["logged_in"])
            self.assertEqual(browser.get("/api/v1/cameras").status, 200)
            other.cookie = browser.cookie[:-1] + ("0" if browser.cookie[-1] != "0" else "1")
            self.assertEqual(other.get("/api/v1/cameras").status, 401)
            other.log_in(PASSWORD)
            self.assertNotEqual(other.cookie, browser.cookie)
            former = browser.cookie
            self.assertEqual(browser.ask("DELETE", "/api/v1/session").status, 204)
            browser.cookie = former
            self.assertEqual(browser.get("/api/v1/cameras").status, 401)
            self.assertEqual(other.get("/api/v1/cameras").status, 200)
            text = "\n".join(watch.messages.lines)
        self.assertIn("wrong password from 127.0.0.1", text)
        self.assertNotIn(PASSWORD, text)

    @unittest.skipUnless(KEEPS, "libsoup before 3.3 keeps no connections")
    def test_a_session_ends_for_open_connections_too(self):
        with Watch(self.configure_page(password_file=self.password_file())) as watch:
            browser = Browser(page_url(watch))
            browser.log_in(PASSWORD)
            kept = http.client.HTTPConnection(browser.host, browser.port, timeout=LIMIT)
            with contextlib.closing(kept):
                for status in 200, 401:
                    kept.request("GET", "/api/v1/cameras", headers={"Cookie": browser.cookie})
                    answer = kept.getresponse()
                    answer.read()
                    self.assertEqual(answer.status, status)
                    browser.ask("DELETE", "/api/v1/session")

    def test_wrong_passwords_have_to_wait(self):
        with Watch(self.configure_page(password_file=self.password_file())) as watch:
            browser = Browser(page_url(watch))
            for _ in range(3):
                self.assertEqual(browser.log_in("wrong").status, 403)
            answer = browser.log_in(PASSWORD)
            self.assertEqual(answer.status, 429)
            self.assertEqual(answer.headers["Retry-After"], "1")
            for body in {}, {"password": 1}, {"password": "x" * 1000}, {"password": None}:
                self.assertEqual(browser.ask("POST", "/api/v1/session", body).status, 400)

    def test_a_new_password_ends_all_sessions(self):
        with Watch(self.configure_page(password_file=self.password_file())) as watch:
            browser, other = Browser(page_url(watch)), Browser(page_url(watch))
            browser.log_in(PASSWORD)
            self.write("password", hash_password("another password").stdout, 0o600)
            self.assertEqual(other.log_in("another password").status, 204)
            self.assertEqual(browser.get("/api/v1/cameras").status, 401)

    def test_metrics_need_a_password_but_no_session(self):
        with Watch(self.configure_page(password_file=self.password_file())) as watch:
            browser = Browser(page_url(watch))

            def scrape(path="/metrics", **given):
                return browser.get(path, Authorization=basic(PASSWORD, **given))

            before = cpu_seconds(watch)
            self.assertIn(b"vitgate_build_info", scrape().body)
            check = cpu_seconds(watch) - before
            self.assertEqual(browser.ask("HEAD", "/metrics", headers={
                "Authorization": basic(PASSWORD, "")}).status, 200)
            for path in "/api/v1/cameras", "/api/v1/system", "/api/v1/stream":
                self.assertEqual(scrape(path).status, 401, path)
            before = cpu_seconds(watch)
            for _ in range(40):
                self.assertEqual(scrape(user="another").status, 200)
            self.assertLess(cpu_seconds(watch) - before, 20 * check)
            for value in "Basic", "Basic !!!", "Bearer " + PASSWORD, "Basic " + PASSWORD, \
                    basic("x" * 600), basic(PASSWORD + "\0"):
                answer = browser.get("/metrics", Authorization=value)
                self.assertEqual((answer.status, answer.error), (401, "log in first"), value)
                self.assertEqual(answer.headers["WWW-Authenticate"],
                                 'Basic realm="vitgate-watch"')
            self.write("password", hash_password("another password").stdout, 0o600)
            self.assertEqual(scrape().status, 401)
            answer = browser.get("/metrics", Authorization=basic("another password"))
            self.assertEqual(answer.status, 200)
            self.assertIsNone(answer.headers["Set-Cookie"])

    def test_wrong_passwords_have_to_wait_for_metrics_too(self):
        with Watch(self.configure_page(password_file=self.password_file())) as watch:
            browser = Browser(page_url(watch))
            self.assertEqual(browser.get("/metrics", Authorization=basic(PASSWORD)).status, 200)
            for password in "wrong", PASSWORD[:-1], "":
                answer = browser.get("/metrics", Authorization=basic(password))
                self.assertEqual((answer.status, answer.error), (401, "wrong password"))
            for answer in browser.get("/metrics", Authorization=basic(PASSWORD)), \
                    browser.log_in(PASSWORD):
                self.assertEqual((answer.status, answer.headers["Retry-After"]), (429, "1"))

    def test_the_password_command(self):
        self.assertRegex(hash_password(PASSWORD).stdout, r"^\$y\$\S+\n$")
        short = hash_password("short")
        self.assertEqual((short.returncode, short.stdout), (1, ""))
        self.assertIn("at least 8", short.stderr)

    def test_tls(self):
        signed = Authority(self.folder, "ca").sign("page")
        os.chmod(signed, 0o600)
        keys = {"certificate": signed, "private_key": signed,
                "password_file": self.password_file()}
        with Watch(self.configure_page(**keys)) as watch:
            url = page_url(watch)
            context = ssl.create_default_context(cafile=self.path("ca.pem"))
            # From Python 3.13 on; the test's authority names no key.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            browser = Browser(url, context)
            # A client that does not speak TLS disturbs nobody.
            with socket.create_connection((browser.host, browser.port), LIMIT) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertNotIn(b"200 OK", receive(client))
            cookie = browser.log_in(PASSWORD).headers["Set-Cookie"]
            self.assertEqual(browser.get("/api/v1/cameras").status, 200)
        self.assertTrue(url.startswith("https://"))
        self.assertRegex(cookie, r"^__Host-vitgate-.*; Secure$")

    def test_bad_keys_are_named(self):
        key = self.write("key", "no key\n", 0o600)
        self.write("open", "x\n", 0o644)
        for keys, message in (
                ({"listen": "0.0.0.0:8470"}, r"\[page\] password-file: is missing"),
                ({"listen": "box:8470"}, r"\[page\] listen: \"box:8470\": expected ADDRESS:PORT"),
                ({"listen": "127.0.0.1:99999"}, r"\[page\] listen: .*expected ADDRESS:PORT"),
                ({"certificate": key}, r"\[page\] certificate: .* need each other"),
                ({"certificate": self.path("none"), "private_key": key},
                 r"\[page\] certificate: .*/none cannot be read"),
                ({"password_file": self.path("open")}, r"password-file: .*other users"),
                ({"colour": "red"}, r"\[page\] colour: unknown key"),
                ({"snapshots": "much"}, r"\[page\] snapshots: ")):
            with self.subTest(keys=keys):
                self.assertRegex(self.check(self.configure_page(**keys)), message)

    def test_what_can_be_read_on_the_way_is_said(self):
        path = self.configure_page(listen="0.0.0.0:0", password_file=self.password_file())
        self.assertIn("can read the password, cookies and pictures", self.check(path))
        self.assertNotIn("cookies", self.check(self.configure_page()))

    def test_what_fails_at_the_start_is_told_and_cameras_go_on(self):
        key = self.write("key", "no key\n", 0o600)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for keys, message in (
                    ({"listen": f"127.0.0.1:{port}"}, f"another program uses port {port}"),
                    ({"certificate": key, "private_key": key}, f"certificate={key}"),
                    ({"password_file": key}, f"password-file: {key}: expected one line")):
                path = self.configure_page({"yard": self.endless()}, **keys)
                with self.subTest(keys=keys), Watch(path) as watch:
                    watch.message("page: .*" + re.escape(message) + ".*; trying again")
                    watch.more_frames("yard", 1)

    def test_a_reload_starts_the_page_anew(self):
        path = self.configure_page()
        with Watch(path) as watch:
            first = page_url(watch)
            since = len(watch.messages.lines)
            self.configure_page(password_file=self.password_file())
            watch.reload()
            url = page_url(watch, since)
            self.assertEqual(Browser(url).get("/api/v1/cameras").status, 401)
            with self.assertRaises(OSError):
                Browser(first).get("/")


class Clients(PageTest):
    def send(self, browser, *parts):
        """Sends raw bytes; returns what comes until the end."""
        with socket.create_connection((browser.host, browser.port), LIMIT) as client:
            for part in parts:
                try:
                    client.sendall(part)
                except OSError:
                    break
            return receive(client)

    def test_big_and_odd_bodies_are_refused(self):
        with Watch(self.configure_page()) as watch:
            browser = Browser(page_url(watch))
            path = "/api/v1/cameras/yard/settings"
            answer = browser.ask("PATCH", path, b"x" * 70000)
            self.assertEqual((answer.status, "65536" in answer.error), (413, True))
            for body in "[" * 60000, '{"a":' * 10000, "{'a': '" + "[" * 9000, "/*" + "[" * 5000, \
                    "[]", '"x"', "\xff", "{} {}", b"\x00", b"\xff\xfe", '{"compute": NaN}':
                answer = browser.ask("PATCH", path, body)
                self.assertEqual(answer.status, 400, body[:20])
                self.assertTrue(answer.error)
            head = (f"PATCH {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n")
            chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
            received = self.send(browser, (head + "Transfer-Encoding: chunked\r\n\r\n").encode(),
                                 *[chunk] * 40)
            self.assertNotIn(b"200 OK", received)
            received = self.send(browser, (head + "Content-Length: 99999999\r\n\r\n").encode(),
                                 *[b"x" * 65536] * 40)
            self.assertNotIn(b"200 OK", received)
            self.assertEqual(browser.get("/api/v1/cameras").status, 200)

    def test_odd_paths_are_refused(self):
        with Watch(self.configure_page()) as watch:
            browser = Browser(page_url(watch))
            for path in "/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/api/v1/cameras/%2F", \
                    "/api/v1/cameras/%00", "/api/v1/cameras/%ff", "/api/v1/cameras/", "//", \
                    "/index.html/", "/api/v1/cameras/a%0ab", "/" + "a/" * 200:
                self.assertIn(browser.get(path).status, (400, 404), path)
            many = "&".join(f"a{i}=1" for i in range(100))
            for query in many, "look=%ff", "look=%00":
                answer = browser.get("/api/v1/cameras/yard/settings?" + query)
                self.assertEqual(answer.status, 400, query[:20])

    def test_slow_and_silent_clients_are_dropped(self):
        with Watch(self.configure_page(), VITGATE_PAGE_TIMEOUT="1") as watch:
            browser = Browser(page_url(watch))
            whole = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
            clients = []
            for start in b"", whole[:20], whole, whole + whole[:20], \
                    b"POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{":
                client = socket.create_connection((browser.host, browser.port), LIMIT)
                client.sendall(start)
                clients.append(client)
            for i, client in enumerate(clients):
                with client:
                    self.assertEqual(b"200 OK" in receive(client), i in (2, 3))
            self.assertEqual(browser.get("/").status, 200)

    def test_a_connection_serves_many_requests(self):
        with Watch(self.configure_page()) as watch:
            browser = Browser(page_url(watch))
            connection = http.client.HTTPConnection(browser.host, browser.port, timeout=LIMIT)
            with contextlib.closing(connection):
                used = set()
                for path in "/", "/api/v1/cameras", "/nothing", "/api/v1/cameras":
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    self.assertEqual(answer.status, 404 if path == "/nothing" else 200)
                    answer.read()
                    used.add(connection.sock)
                # Without it, libsoup before 3.3 says that it closes them.
                self.assertEqual(used == {None}, not KEEPS)
                self.assertEqual(len(used), 1)
                # It ends with a request that has a body.
                connection.request("PATCH", "/api/v1/cameras/yard/settings", '{"compute": 1}',
                                   {"Origin": browser.url})
                answer = connection.getresponse()
                self.assertEqual((answer.status, answer.headers["Connection"]), (200, "close"))

    def test_nothing_is_taken_for_a_request_after_a_body(self):
        with Watch(self.configure_page()) as watch:
            browser = Browser(page_url(watch))
            start = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
            for headers in b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", \
                    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"Content-Length: 0\r\n":
                received = self.send(browser, start + headers + b"\r\n0\r\n\r\n" + (start + b"\r\n") * 2)
                self.assertEqual(received.count(b"HTTP/1.1 "), 1, headers)
            received = self.send(browser, (start + b"\r\n") * 2 + start + b"Connection: close\r\n\r\n")
            self.assertEqual(received.count(b"HTTP/1.1 503"), 3 if KEEPS else 1)

    def test_connections_that_clients_close_are_closed(self):
        with Watch(self.configure_page()) as watch:
            browser = Browser(page_url(watch))

            def count():
                return len(os.listdir(f"/proc/{watch.process.pid}/fd"))

            browser.get("/")
            before = count()
            for start in b"", REQUEST[:20], REQUEST, REQUEST + REQUEST[:20], REQUEST * 2:
                for _ in range(10):
                    with socket.create_connection((browser.host, browser.port), LIMIT) as client:
                        client.sendall(start)
                        if len(start) >= len(REQUEST):
                            client.recv(4096)
            end = time.monotonic() + LIMIT
            while count() > before + 5:
                self.assertLess(time.monotonic(), end, f"{before} were open, {count()} are")
                watch.status_where(lambda status: True)

    @unittest.skipUnless(KEEPS, "libsoup before 3.3 keeps no connections")
    def test_idle_connections_make_room(self):
        with Watch(self.configure_page()) as watch:
            browser = Browser(page_url(watch))
            with contextlib.ExitStack() as stack:
                clients = []
                for _ in range(160):
                    client = stack.enter_context(
                        socket.create_connection((browser.host, browser.port), LIMIT))
                    client.sendall(REQUEST)
                    self.assertIn(b" 200 ", client.recv(4096))
                    clients.append(client)
                clients[0].sendall(REQUEST[:20])  # is not idle
                for _ in range(3):
                    self.assertEqual(browser.get("/").status, 200)
                # The oldest idle ones have gone; others are still there.
                self.assertEqual(clients[1].recv(1), b"")
                clients[0].sendall(REQUEST[20:])
                clients[-1].sendall(REQUEST)
                for client in clients[0], clients[-1]:
                    self.assertIn(b" 200 ", client.recv(4096))

    def test_another_machine_has_fewer_connections(self):
        address = outer_address()
        if not address:
            self.skipTest("this machine has no address for others")
        path = self.configure_page(listen="0.0.0.0:0", password_file=self.password_file())
        with Watch(path) as watch, contextlib.ExitStack() as stack:
            port = Browser(page_url(watch)).port

            def connect(host):
                return stack.enter_context(socket.create_connection((host, port), LIMIT))

            clients = [connect(address) for _ in range(48)]
            self.assertEqual(connect(address).recv(1), b"")
            for client in connect("127.0.0.1"), clients[0]:
                client.sendall(REQUEST)
                self.assertIn(b" 200 ", client.recv(4096))

    def test_connections_are_limited(self):
        with Watch(self.configure_page()) as watch:
            browser = Browser(page_url(watch))
            clients = [socket.create_connection((browser.host, browser.port), LIMIT)
                       for _ in range(160)]
            extra = socket.create_connection((browser.host, browser.port), LIMIT)
            self.assertEqual(extra.recv(1), b"")
            # The others, which have not asked for anything yet, stay.
            clients[0].sendall(REQUEST)
            self.assertIn(b" 200 ", clients[0].recv(4096))
            for client in [extra, *clients]:
                client.close()
            watch.status_where(lambda status: True)
            self.assertEqual(browser.get("/").status, 200)


if __name__ == "__main__":
    unittest.main()
