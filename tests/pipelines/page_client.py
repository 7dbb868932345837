"""A browser of the page of vitgate-watch, for tests in plain Python."""

import http.client
import json
import re
import ssl
import urllib.parse

from cameras import LIMIT


def page_url(watch, since=0):
    """Waits until the page of watch is up, and returns its address without the last slash."""
    line = watch.message(r"page: https?://", since)
    return re.search(r"https?://\S+(?=/$)", line)[0]


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


class Browser:
    """Keeps its cookie. url: of the page"""

    def __init__(self, url, context=None):
        parts = urllib.parse.urlsplit(url)
        self.url, self.host, self.port, self.cookie = url, parts.hostname, parts.port, None
        self.context = context
        self.tls = parts.scheme == "https"

    def connect(self):
        if self.tls:
            context = self.context or ssl._create_unverified_context()
            return http.client.HTTPSConnection(self.host, self.port, timeout=LIMIT,
                                               context=context)
        return http.client.HTTPConnection(self.host, self.port, timeout=LIMIT)

    def open(self, method, path, body=None, headers=None):
        """Sends a request, and returns connection and response."""
        connection = self.connect()
        given = dict(headers or {})
        if method != "GET":
            given.setdefault("Origin", self.url)
        if self.cookie:
            given["Cookie"] = self.cookie
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection.request(method, path, body,
                           {name: value for name, value in given.items() if value is not None})
        return connection, connection.getresponse()

    def ask(self, method, path, body=None, headers=None):
        connection, response = self.open(method, path, body, headers)
        answer = Answer(response)
        connection.close()
        cookie = answer.headers.get("Set-Cookie")
        if cookie:
            self.cookie = cookie.split(";")[0]
        return answer

    def get(self, path, **headers):
        return self.ask("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def log_in(self, password):
        return self.ask("POST", "/api/v1/session", {"password": password})


def read_event(response, name):
    """Returns the data of the next server-sent event of that name."""
    found = None
    while True:
        line = response.readline().decode()
        if not line:
            raise AssertionError("the stream has ended")
        if line.startswith("event: "):
            found = line[7:].strip()
        elif line.startswith("data: ") and found == name:
            return json.loads(line[6:])
