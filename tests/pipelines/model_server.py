"""An HTTP or HTTPS server of models, with the faults of real ones, for the tests in this folder."""

import threading

from http_server import HttpServer


class ModelServer(HttpServer):
    """Serves files by path, until the end of a with-block.

    files: bytes by path
    moved: URLs that paths redirect to
    truncated: paths whose connection ends in the middle
    held: cleared: all files stop in the middle
    requests: paths that were asked for
    """

    def __init__(self, files=(), certificate=None):
        self.files, self.moved, self.truncated = dict(files), {}, set()
        self.requests, self.held = [], threading.Event()
        self.held.set()
        super().__init__(self.answer, certificate)

    def __exit__(self, *exception):
        self.held.set()
        super().__exit__(*exception)

    def answer(self, handler):
        path = handler.path
        self.requests.append(path)
        if path in self.moved:
            handler.send_response(302)
            handler.send_header("Location", self.moved[path])
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if path not in self.files:
            handler.send_error(404)
            return
        data = self.files[path]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:len(data) // 2])
        self.held.wait()
        if path not in self.truncated:
            handler.wfile.write(data[len(data) // 2:])
