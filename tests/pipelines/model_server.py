"""An HTTP or HTTPS server of models, with the faults of real ones, for the tests in this folder."""

import http.server
import ssl
import threading


class ModelServer:
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
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # clients may refuse a certificate
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05},
                         daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.held.set()
        self.server.shutdown()
        self.server.server_close()

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
