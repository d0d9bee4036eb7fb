"""Tests of distal serve share: the program, which can be killed, and a person at a page."""

import atexit
import contextlib
import http.client
import json
import pathlib
import select
import signal
import subprocess
import sys
import time

from small import require

PASSWORD = "correct horse battery"


class Page:
    """A person at the page: one connection, the session, and answers that are sent until the server has taken them."""

    def __init__(self, server):
        self.server, self.cookie, self.csrf, self.connection = server, "", "", None

    def ask(self, method, path, body=None, headers=None):
        """(status, JSON or bytes, headers). A path without a slash before it is one of the REST interface. Throws OSError where the server is gone."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        headers = {"Cookie": f"distal_session={self.cookie}", "X-CSRF-Token": self.csrf, **(headers or {})}
        text = None
        if body is not None:
            text = json.dumps(body)
            headers["Content-Type"] = "application/json"
        try:
            self.connection.request(method, path if path.startswith("/") else "/api/v1/" + path, text, headers)
            answer = self.connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            self.connection = None
            raise OSError(str(error)) from error
        if answer.getheader("Content-Type", "").startswith("application/json"):
            content = json.loads(content)
        return answer.status, content, answer.headers

    def good(self, method, path, body=None, status=200):
        got, content, _ = self.ask(method, path, body)
        require(got == status, f"{method} {path}: {got}, not {status}: {content}")
        return content

    def try_to_enter(self, path, body):
        """(status, JSON); with status 200 the session is this page's."""
        status, session, headers = self.ask("POST", path, body)
        if status == 200:
            self.cookie = headers["Set-Cookie"].split("=", 1)[1].split(";")[0]
            self.csrf = session["csrf"]
        return status, session

    def enter(self, path, body):
        status, session = self.try_to_enter(path, body)
        require(status == 200, f"{path}: {status}: {session}")


class Serving:
    """The program, which can be killed and started again at the same port."""

    def __init__(self, words):
        self.words, self.port, self.process = words, 0, None
        atexit.register(lambda: self.process.kill())  # a test that fails leaves no server behind
        self.start()

    def start(self):
        self.process = subprocess.Popen([sys.argv[1], "serve", *self.words, "--port", str(self.port)], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], 120)
        self.address = self.process.stdout.readline().strip() if ready else ""
        require(self.address.startswith("http://127.0.0.1:"), f"one line with the address, not '{self.address}': {self.said()}")
        self.port = int(self.address.split(":")[2].split("/")[0])

    def said(self):
        return self.process.stderr.read() if self.process.poll() is not None else ""

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        out, error = self.process.communicate(timeout=120)
        return self.process.returncode, out, error


def call(*words):
    run = subprocess.run([sys.argv[1], *map(str, words)], capture_output=True, text=True, timeout=600)
    require(run.returncode == 0, f"{words}: exit {run.returncode}: {run.stderr}")
    return run.stdout


def children(parent):
    """Ids of the processes that a process has started and that are at work."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[1]) == parent and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def alive(process):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def kill_and_start(server):
    """Kills the server and the study that it has started, and starts the server again."""
    process = server.process.pid
    run = children(process)
    server.kill()
    deadline = time.monotonic() + 20
    while any(alive(one) for one in run) and time.monotonic() < deadline:
        time.sleep(0.05)
    require(not any(alive(one) for one in run), "the study does not outlive the server that started it")
    server.start()
