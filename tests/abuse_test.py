"""What a hostile client sends to the server of people, which runs under AddressSanitizer (serve_fixture).

  abuse_test.py SERVE_FIXTURE CHECKOUT [--seconds 60] [--seed 0] [--threads 4]

First attacks by name, each with what must come of it. Then requests of openapi.json, mutated, for the time given; seed 0 draws another
seed each time, and prints it. Fails where the server ends or a sanitizer reports something; where an answer is no HTTP, has status 500, or
refuses by anything but one JSON error; where somebody gets what the role may not; where an answer shows a secret."""

import argparse
import contextlib
import json
import pathlib
import random
import re
import select
import signal
import socket
import string
import subprocess
import tempfile
import threading
import time
import urllib.parse

from small import require

PASSWORD = "correct horse battery"
ROLES = {"nobody": None, "ann": "annotator", "adjudicator": "adjudicator", "owner": "owner"}
ANSWER_S = 60  # of a sanitized program on a busy machine
SECRET = "nobody may read this sentence"
NEVER = (SECRET.encode(), b"$argon2", b"root:x:0:0")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return self.headers.get(name.lower(), "")

    def json(self):
        return json.loads(self.body)


class Line:
    """A connection, as bytes."""

    def __init__(self, port, source="127.0.0.1", timeout=ANSWER_S):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout, (source, 0))
        self.rest = b""

    def close(self):
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text)

    def end(self):
        """Says that nothing more is sent."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def more(self):
        got = self.socket.recv(65536)
        self.rest += got
        return got

    def answer(self, head=False):
        """The next answer; None: the server has hung up without one."""
        while b"\r\n\r\n" not in self.rest:
            if not self.more():
                require(not self.rest, f"half an answer: {self.rest[:200]}")
                return None
        text, self.rest = self.rest.split(b"\r\n\r\n", 1)
        first, *lines = text.decode("latin-1").split("\r\n")
        found = re.fullmatch(r"HTTP/1\.[01] (\d{3}) .*", first)
        require(found, f"no status line: {first[:200]}")
        headers = dict(line.split(": ", 1) for line in lines)
        require(len(headers) == len(lines), f"a header comes twice: {lines}")
        headers = {name.lower(): value for name, value in headers.items()}
        status = int(found[1])
        if head and status == 400 and headers.get("connection") == "close":  # it was no request, and so none without a body
            while self.more():
                pass
            require(not self.rest or (self.rest.startswith(b"{") and "error" in json.loads(self.rest)), f"no JSON error: {self.rest[:200]}")
            self.rest = b""
        body = b"" if head or status == 204 else self.body(headers)
        return Answer(status, headers, body)

    def body(self, headers):
        if headers.get("transfer-encoding") == "chunked":
            return self.chunks(headers)
        length = int(headers.get("content-length", "0"))
        while len(self.rest) < length:
            require(self.more(), f"a body of {len(self.rest)} bytes where {length} were announced")
        text, self.rest = self.rest[:length], self.rest[length:]
        return text

    def chunks(self, headers):
        """The first chunk of events, which never end; all of another body."""
        text = b""
        while True:
            while b"\r\n" not in self.rest:
                require(self.more(), "a chunk breaks off")
            size, rest = self.rest.split(b"\r\n", 1)
            size = int(size, 16)
            while len(rest) < size + 2:
                got = self.more()
                require(got, "a chunk breaks off")
                rest += got
            text, self.rest = text + rest[:size], rest[size + 2:]
            if size == 0 or headers["content-type"] == "text/event-stream":
                return text


class Actor:
    """Somebody with a session, or nobody."""

    def __init__(self, port, name, source="127.0.0.1"):
        self.port, self.name, self.source, self.cookie, self.csrf, self.line = port, name, source, "", "", None

    def log_in(self):
        answer = self.ask("POST", "session", {"user": self.name, "password": PASSWORD})
        until = time.monotonic() + 600
        while answer.status == 429 and time.monotonic() < until:  # fuzzed log-ins used up the tries of this name
            time.sleep(2)
            answer = self.ask("POST", "session", {"user": self.name, "password": PASSWORD})
        require(answer.status == 200, f"{self.name} logs in: {answer.status} {answer.body}")
        self.cookie, self.csrf = cookie_of(answer), answer.json()["csrf"]
        return self

    def headers(self):
        return {"Host": "here", "Cookie": f"distal_session={self.cookie}", "X-CSRF-Token": self.csrf}

    def ask(self, method, path, body=None, headers=None, raw=None):
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        given = {**self.headers(), **(headers or {})}
        if content and "Content-Type" not in given:
            given["Content-Type"] = "application/json"
        if method != "GET" or content:
            given.setdefault("Content-Length", str(len(content)))
        prefix = "" if path.startswith("/") else "/api/v1/"
        return self.exchange(request(method, prefix + path, given, content), method == "HEAD")

    def exchange(self, text, head=False):
        """Sends bytes on the connection that is open, or on a new one where the server has closed it meanwhile."""
        for attempt in range(2):
            fresh = self.line is None
            self.line = self.line or Line(self.port, self.source)
            with contextlib.suppress(ConnectionError, BrokenPipeError):
                self.line.send(text)
                answer = self.line.answer(head)
                if answer is not None:
                    if answer.header("Connection") == "close":
                        self.hang_up()
                    return answer
            self.hang_up()
            require(not fresh, f"no answer to {text[:300]}")
        raise AssertionError("unreachable")

    def hang_up(self):
        if self.line:
            self.line.close()
        self.line = None


def request(method, target, headers, body=b""):
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def cookie_of(answer):
    return answer.header("Set-Cookie").split("=", 1)[1].split(";")[0]


def refused(answer, status, code=None, about=""):
    """Whether an answer is one JSON error."""
    require(answer is not None, f"{about}: no answer")
    require(answer.status == status, f"{about}: {answer.status}, not {status}: {answer.body[:300]}")
    require_error(answer, about)
    if code:
        require(answer.json()["error"]["code"] == code, f"{about}: {answer.body[:300]}, not {code}")


def require_error(answer, about):
    require(answer.header("Content-Type") == "application/json", f"{about}: an error of type {answer.header('Content-Type')}")
    with contextlib.suppress(ValueError):
        error = answer.json()
        if list(error) == ["error"] and list(error["error"]) == ["code", "message"]:
            return
    require(False, f"{about}: no JSON error: {answer.body[:300]}")


class Program:
    """The server."""

    def __init__(self, path):
        self.folder = tempfile.TemporaryDirectory(prefix="distal-test-")
        place = pathlib.Path(self.folder.name)
        self.served = place / "served"
        self.served.mkdir()
        for folder in (place, self.served):
            (folder / "secret.txt").write_text(SECRET)
        self.errors = open(place / "errors.txt", "w+")
        environment = {"ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1:quarantine_size_mb=16", "PATH": "/usr/bin:/bin"}
        self.process = subprocess.Popen([path, self.served], stdout=subprocess.PIPE, stderr=self.errors, text=True, env=environment)
        ready, _, _ = select.select([self.process.stdout], [], [], 240)
        address = self.process.stdout.readline().strip() if ready else ""
        require(address.startswith("http://127.0.0.1:"), f"an address, not '{address}': {self.said()}")
        self.port = int(address.split(":")[2].split("/")[0])

    def said(self):
        self.errors.seek(0)
        return self.errors.read()[:6000]

    def require_alive(self, about=""):
        require(self.process.poll() is None, f"the server has ended {about}: {self.said()}")

    def resident_kib(self):
        return int(re.search(r"VmRSS:\s*(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1])

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(120)
        require(code == 0 and not self.said(), f"the server ends with {code}: {self.said()}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


# Attacks by name.

def path_traversal(port, api):
    """No path leads out of the page and the items."""
    ann = Actor(port, "ann").log_in()
    dots = ("..", "%2e%2e", "%2E.", "..%2f..", "%252e%252e", "..%5c", "%c0%ae%c0%ae", "..;", "....//")
    targets = [f"/{dot}/{dot}/{dot}/etc/passwd" for dot in dots]
    targets += [f"/api/v1/media/{dot}%2fsecret.txt/proxy.mp4" for dot in dots] + [f"/api/v1/media/{dot}/secret.txt/proxy.mp4" for dot in dots]
    targets += [f"/api/v1/{dot}/secret.txt" for dot in dots]
    targets += ["/secret.txt", "//etc/passwd", "/etc/passwd", "/app.js/../secret.txt", "/index.html%00.txt", "file:///etc/passwd", "/./secret.txt",
                "/api/v1/media/%2fetc%2fpasswd/frames", "/api/v1/media/" + "a" * 200 + "/frames", "/people.db", "/served/people.db"]
    for target in targets:
        for method in ("GET", "HEAD"):
            answer = ann.exchange(request(method, target, ann.headers()), method == "HEAD")
            require(answer.status in (400, 404), f"{method} {target}: {answer.status}")
            require(not any(secret in answer.body for secret in NEVER), f"{target} shows what it must not")
            if method == "GET":
                require_error(answer, target)
    return len(targets)


def oversized(port, api):
    """What is too large is refused before it is read, and costs no memory."""
    ann, nobody = Actor(port, "ann").log_in(), Actor(port, "nobody")
    count = 0
    for size in (70_000, 8 << 20, 1 << 40, 1 << 64, -1):
        answer = nobody.exchange(request("POST", "/api/v1/session", {"Host": "a", "Content-Type": "application/json", "Content-Length": size}, b"x" * 100))
        refused(answer, 413, about=f"a body of {size} bytes")
        nobody.hang_up()
        count += 1
    large = json.dumps({"item": 60, "class": "plain", "unsure": False, "note": "n" * 100_000, "began_ms": 1, "seconds": 1}).encode()
    answer = ann.ask("PUT", "answers/00000000-0000-4000-8000-0000000000aa", raw=large)
    refused(answer, 422, about="a note of 100,000 letters")
    answer = nobody.exchange(request("GET", "/" + "a" * 5000, {"Host": "a"}))
    refused(answer, 414, about="a long target")
    nobody.hang_up()
    for lines in ({f"X-{i}": "y" * 100 for i in range(2000)}, {"Cookie": "c" * 20_000}, {"X-CSRF-Token": "t" * 9000}):
        line = Line(port)
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            line.send(request("GET", "/api/v1/session", {"Host": "a", **lines}))
            line.end()
            answer = line.answer()
            require(answer is None or answer.status in (400, 401, 413, 414, 431), f"many headers: {answer and answer.status}")
        line.close()
        count += 1
    chunked = b"".join(b"10000\r\n" + b" " * 0x10000 + b"\r\n" for _ in range(200)) + b"0\r\n\r\n"
    line = Line(port)
    with contextlib.suppress(ConnectionError, BrokenPipeError):
        line.send(request("POST", "/api/v1/session", {"Host": "a", "Content-Type": "application/json", "Transfer-Encoding": "chunked"}, chunked))
        refused(line.answer(), 413, about="13 MB in chunks")
    line.close()
    return count + 3


def slow(port, api):
    """Slow clients are dropped, and others are served meanwhile."""
    began, lines = time.monotonic(), []
    head = request("POST", "/api/v1/session", {"Host": "a", "Content-Type": "application/json", "Content-Length": 5000})
    for i in range(120):
        line = Line(port)
        line.send(head if i % 2 else b"GET /api/v1/session HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        lines.append(line)
    open_lines, longest = list(lines), 0.0
    while open_lines and time.monotonic() - began < 120:
        for line in list(open_lines):
            try:
                line.send(b"a")
                readable, _, _ = select.select([line.socket], [], [], 0)
                if readable and not line.socket.recv(65536):
                    open_lines.remove(line)
            except OSError:
                open_lines.remove(line)
        asked = time.monotonic()
        require(Actor(port, "x").ask("GET", "/").status == 200, "others are served")
        longest = max(longest, time.monotonic() - asked)
        time.sleep(0.3)
    require(not open_lines, f"{len(open_lines)} of {len(lines)} slow clients are still served after {time.monotonic() - began:.0f} s")
    for line in lines:
        line.close()
    return f"{len(lines)} dropped within {time.monotonic() - began:.0f} s, others waited at most {1000 * longest:.0f} ms"


def wrong_types(port, api):
    """Each field of each body, with each wrong type."""
    owner, count = Actor(port, "owner").log_in(), 0
    values = (None, True, 0, -1, 1.5, 1e300, 2 ** 63, 2 ** 64, "", "\0", "x" * 3000, [], [[]], {}, {"a": 1}, [None])
    for route in api.routes:
        if not route.body or route.path.startswith("/session"):
            continue
        good = api.value(route.body, random.Random(1))
        for name in (*good, "unknown"):
            for value in values:
                answer = owner.ask(route.method, api.target(route, random.Random(1), users=("nobody-of-this-name",))[1:], {**good, name: value})
                require(answer.status < 500, f"{route.method} {route.path} with {name} = {value!r:.60}: {answer.status} {answer.body}")
                if answer.status >= 400:
                    require_error(answer, f"{route.method} {route.path} with {name}")
                count += 1
        for whole in (b"null", b"[]", b"3", b'"text"', b"{", b"", b"\xff\xfe", b"[" * 50_000, b'{"a":' * 5000):
            answer = owner.ask(route.method, api.target(route, random.Random(1), users=("nobody-of-this-name",))[1:], raw=whole)
            refused(answer, 404 if answer.status == 404 else 422 if answer.status == 422 else 400, about=f"{route.path} with {whole[:20]}")
            count += 1
    return count


def forgery(port, api):
    """What writes needs the token of the session: a page of another site knows no such token."""
    owner, ann = Actor(port, "owner").log_in(), Actor(port, "ann").log_in()
    count = 0
    for route in api.routes:
        if route.method == "GET" or route.public:
            continue
        for token in ("", "x", ann.csrf, owner.csrf[:-1], owner.csrf + "x", owner.cookie):
            thief = Actor(port, "owner")
            thief.cookie, thief.csrf = owner.cookie, token
            body = api.value(route.body, random.Random(2)) if route.body else None
            answer = thief.ask(route.method, api.target(route, random.Random(2))[1:], body, {"Origin": "http://elsewhere.example"})
            refused(answer, 403, "csrf", f"{route.method} {route.path} with the token '{token[:4]}'")
            count += 1
    for type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        answer = owner.ask("POST", "items/next", {"count": 1}, {"Content-Type": type})
        refused(answer, 415, about=f"a form as {type}")
    require("SameSite=Strict" in ann.ask("POST", "session", {"user": "ann", "password": PASSWORD}).header("Set-Cookie"), "the cookie stays here")
    answer = ann.ask("OPTIONS", "items/next", headers={"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "POST"})
    require(not any(name.startswith("access-control") for name in answer.headers), f"no other site may ask: {answer.headers}")
    return count


def fixation(port, api):
    """A session that somebody else has chosen or known before a log-in is none after it."""
    bob = Actor(port, "bob")
    bob.cookie = "chosen-by-somebody-else-0123456789"
    before = bob.cookie
    bob.log_in()
    require(bob.cookie != before and len(bob.cookie) >= 40, "a log-in gives a new token")
    old = Actor(port, "bob")
    old.cookie = before
    refused(old.ask("GET", "session"), 401, about="the chosen token")
    old.cookie, old.csrf = bob.cookie, bob.csrf
    bob.log_in()
    require(bob.cookie != old.cookie, "each log-in gives another token")
    refused(old.ask("GET", "session"), 401, about="the token from before the second log-in")
    old.cookie = bob.cookie
    require(bob.ask("DELETE", "session").status == 204, "logs out")
    refused(old.ask("GET", "session"), 401, about="the token after the log-out")
    for cookie in (bob.cookie[:-1] + "A", bob.cookie.upper(), "", "\x7f", "x" * 4000):
        old.cookie = cookie
        refused(old.ask("GET", "session"), 401, about="a guessed token")
    return 5


def brute_force(port, api):
    """Guessing is slowed down by name and by address, and a known name answers as an unknown one."""
    guesser, words, waits = Actor(port, "victim", "127.0.0.77"), [], []
    for name in ("victim", "nobody-of-this-name"):
        for guess in range(40):
            answer = guesser.ask("POST", "session", {"user": name, "password": f"guess {guess}"})
            require(answer.status in (401, 429), f"a guess: {answer.status} {answer.body}")
            require_error(answer, "a guess")
            if answer.status == 429:
                waits.append(int(answer.header("Retry-After")))
            else:
                words.append(answer.json()["error"]["message"])
    require(len(set(words)) == 1, f"the message tells no names: {set(words)}")
    require(len(words) <= 24 and waits, f"{len(words)} of 80 guesses were tried")
    answer = Actor(port, "ann", "127.0.0.78").ask("POST", "session", {"user": "ann", "password": PASSWORD})
    require(answer.status == 200, f"others log in meanwhile: {answer.status} {answer.body}")
    guesser = Actor(port, "x", "127.0.0.79")
    tried = [guesser.ask("POST", "session/link", {"token": f"{guess:032}"}).status for guess in range(60)]
    require(set(tried) <= {401, 429} and 429 in tried, f"links are not guessed either: {set(tried)}")
    answer = Actor(port, "x", "127.0.0.80").ask("POST", "session", {"user": "ann", "password": "no"}, {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-User": "owner"})
    refused(answer, 401, about="headers of a proxy that nobody trusts")
    return f"{len(words)} of 80 guesses tried, the longest wait {max(waits)} s"


STUDY_NAME = '<img src=x onerror=alert("study")>'
STUDY = urllib.parse.quote("study " + STUDY_NAME, safe="")
CLASS_NAME = '<script>alert("class")</script>'
# Where the fixture's names must come back as they are.
NAMES_IN_ANSWERS = {
    "studies": STUDY_NAME,
    f"studies/{STUDY}": CLASS_NAME,
    f"classes?study={STUDY}": CLASS_NAME,
    f"items?study={STUDY}": "alert('file')",
    "items/1": "alert('file')",
    "items/1/why": '<b onmouseover=alert("arm")>',
    "answers": CLASS_NAME,
    f"export?study={STUDY}&format=csv": CLASS_NAME,
}


def scripts_in_names(port, api, checkout=None):
    """Names with HTML in them are data: no answer is a page, and the page sets no HTML from data."""
    owner, shown = Actor(port, "owner").log_in(), 0
    for route in api.routes:
        if route.method != "GET" or "events" in route.path:
            continue
        answer = owner.ask("GET", api.target(route, random.Random(3))[1:])
        require("html" not in answer.header("Content-Type"), f"{route.path} is of type {answer.header('Content-Type')}")
        require(answer.header("X-Content-Type-Options") == "nosniff", f"{route.path}: a browser may guess its type")
        require("unsafe" not in answer.header("Content-Security-Policy") and answer.header("Content-Security-Policy"), f"{route.path} has a policy")
        require("<" not in answer.header("Content-Disposition"), f"{route.path}: {answer.header('Content-Disposition')}")
    for target, name in NAMES_IN_ANSWERS.items():
        answer = owner.ask("GET", target)
        require(answer.status == 200, f"{target}: {answer.status} {answer.body[:300]}")
        require(answer.header("Content-Type").split(";")[0] in ("application/json", "text/csv"), f"{target} is of type {answer.header('Content-Type')}")
        require(name.encode() in answer.body.replace(b'\\"', b'"').replace(b'""', b'"'), f"{target} does not hold {name}: {answer.body[:500]}")
        shown += 1
    refused(owner.ask("POST", "users", {"name": "<script>alert(1)</script>", "role": "annotator", "password": PASSWORD}), 422, about="a name with HTML")
    answer = owner.ask("GET", "/%3Cscript%3Ealert(1)%3C/script%3E")
    refused(answer, 404, about="a path with HTML")
    for file in sorted((checkout / "src/distal/serve/page").glob("*.js")):
        found = re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc", file.read_text())
        require(not found, f"{file.name} sets HTML: {found}")
    return f"{shown} answers show HTML as data"


def broken_requests(port, api):
    """What is no request gets one JSON error or none, and hurts nobody."""
    texts = [b"", b"\r\n\r\n", b"NONSENSE\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nHost\r\n\r\n",
             b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"GET / HTTP/1.1\nHost: a\n\n", b"\0" * 5000, b"\xff" * 5000, b"\x16\x03\x01\x02\x00\x01\x00" * 50,
             b"GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1,2-3,4-5,6-\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=9999999999999999999999-\r\n\r\n",
             b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n", b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
             b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzz\r\n",
             b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
             b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx",
             b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\n{}   ",
             b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
             b"GET /?" + b"&".join(b"a%d=b" % i for i in range(600)) + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /%zz%1 HTTP/1.1\r\nHost: a\r\n\r\n"]
    for text in texts:
        answers = broken(port, text)
        require(len(answers) <= 1 or text.count(b"HTTP/1.1") > 1, f"{len(answers)} answers to {text[:100]}")
    return len(texts)


def broken(port, text):
    """The answers to bytes that may be no request, each of which must be whole."""
    line, answers = Line(port), []
    try:
        line.send(text)
        line.end()
        while len(answers) < 20 and (answer := line.answer(text.startswith(b"HEAD"))) is not None:
            require(answer.status != 500, f"{text[:300]}: 500 {answer.body}")
            if answer.status >= 400 and not text.startswith(b"HEAD"):
                require_error(answer, text[:300])
            answers.append(answer)
            if answer.header("Content-Type") == "text/event-stream":
                break
    except (ConnectionError, BrokenPipeError):
        pass
    finally:
        line.close()
    return answers


# Requests of openapi.json, mutated.

class Route:
    def __init__(self, method, path, operation, shared):
        self.method, self.path, self.operation = method.upper(), path, operation
        self.parameters = shared + operation.get("parameters", [])
        self.public = operation.get("security") == []
        self.roles = operation.get("x-roles")
        content = operation.get("requestBody", {}).get("content", {})
        self.body = content.get("application/json", {}).get("schema")


class Api:
    """Makes valid requests of openapi.json, about what is in the store."""

    def __init__(self, checkout):
        self.all = json.loads((checkout / "src/distal/serve/openapi.json").read_text())
        self.routes = [Route(method, path, operation, shared.get("parameters", [])) for path, shared in self.all["paths"].items()
                       for method, operation in shared.items() if method != "parameters"]
        self.known = {"study": ["none"], "class": ["plain"], "video": ["0" * 32]}

    def look(self, owner):
        study = owner.ask("GET", "studies").json()["studies"][0]["name"]
        item = owner.ask("GET", "items/60").json()
        classes = [one["name"] for one in owner.ask("GET", "classes").json()["classes"]]
        self.known = {"study": [study], "class": classes or ["plain"], "video": [item["video"]["id"]]}

    def resolved(self, schema):
        while "$ref" in schema:
            at = self.all
            for part in schema["$ref"].split("/")[1:]:
                at = at[part]
            schema = at
        return schema

    def value(self, schema, chance, name=""):
        schema = self.resolved(schema)
        if name in self.known:
            return chance.choice(self.known[name])
        for choice in ("oneOf", "anyOf"):
            if choice in schema:
                return self.value(chance.choice(schema[choice]), chance, name)
        if "enum" in schema:
            return chance.choice(schema["enum"])
        kind = schema.get("type", "string")
        kind = chance.choice(kind) if isinstance(kind, list) else kind
        if kind == "object":
            fields = schema.get("properties", {})
            required = schema.get("required", [])
            return {key: self.value(one, chance, key) for key, one in fields.items() if key in required or chance.random() < 0.4}
        if kind == "array":
            return [self.value(schema["items"], chance) for _ in range(chance.randrange(3))]
        return self.simple(kind, schema, chance, name)

    def simple(self, kind, schema, chance, name):
        if kind in ("integer", "number"):
            low, high = schema.get("minimum", 0), schema.get("maximum", 400)
            return chance.randint(int(low), int(max(low, high))) if kind == "integer" else round(chance.uniform(low, max(low, min(high, 2))), 3)
        if kind == "boolean":
            return chance.random() < 0.5
        if kind == "null":
            return None
        if schema.get("format") == "uuid":
            return f"{chance.randrange(200):08x}-0000-4000-8000-{chance.randrange(60):012x}"
        return {"user": "victim", "person": chance.choice(["ann", ""]), "password": "correct horse", "token": "t" * 32, "name": f"new{chance.randrange(50)}",
                "note": "a note"}.get(name, "text")

    def target(self, route, chance, users=("victim", "bob2")):
        path, query = route.path, []
        for parameter in map(self.resolved, route.parameters):
            name, schema = parameter["name"], parameter["schema"]
            if parameter["in"] == "path":
                about = "study" if route.path.startswith("/studies") else name
                value = chance.choice(users) if route.path.startswith("/users") else self.value(schema, chance, about)
                path = path.replace("{" + name + "}", urllib.parse.quote(str(value), safe=""))
            elif parameter["in"] == "query" and (parameter.get("required") or chance.random() < 0.6):
                query.append(f"{name}={urllib.parse.quote(str(self.value(schema, chance, name)), safe='')}")
        return path + ("?" + "&".join(query) if query else "")

    def may(self, route, role):
        if route.public:
            return True
        return role is not None and (route.roles is None or role in route.roles)


STRANGE = ["", " ", "\0", "\n", "..", "../../secret.txt", "%00", "%2e%2e%2f", "'", "' OR 1=1 --", "\"; DROP TABLE items; --", "<script>alert(1)</script>", "x" * 300,
           "x" * 5000, "\u202e", "\U0001f9ea" * 40, "é" * 200, "-1", "0", "1e999", "nan", "inf", "9" * 40, "0x10", "1.5", "true", "null", "[]", "{}", "a=b&c=d",
           "%s%n", "\x7f\x01", "١٢٣", "００１"]
NUMBERS = [0, -1, 1, 2, 7, 2 ** 31, 2 ** 53 + 1, 2 ** 63 - 1, 2 ** 63, 2 ** 64, -2 ** 63, 1.5, -0.0, 1e300, 1e-320, 10 ** 40]
STREWN = [b"\0", b"\r", b"\n", b"\r\n\r\n", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"{", b"[", b"\"", b":", b"%", b" ", b"GET ", b"0" * 40]


class Fuzzer:
    """Draws requests: most are valid but for one or two changes."""

    def __init__(self, api, chance):
        self.api, self.chance = api, chance

    def strange(self):
        draw = self.chance.random()
        if draw < 0.4:
            return self.chance.choice(STRANGE)
        if draw < 0.7:
            return self.chance.choice(NUMBERS)
        if draw < 0.8:
            return "".join(self.chance.choice(string.printable) for _ in range(self.chance.randrange(40)))
        return self.chance.choice([None, True, [], {}, [[[[]]]], {"a": {"b": []}}, [1, "x", None], ["x"] * 500])

    def mutated(self, value):
        """A JSON value with one change, anywhere in it."""
        if isinstance(value, dict) and value and self.chance.random() < 0.8:
            name, draw = self.chance.choice(list(value)), self.chance.random()
            if draw < 0.15:
                return {key: one for key, one in value.items() if key != name}
            if draw < 0.25:
                return {**value, str(self.strange())[:2000]: self.strange()}
            return {**value, name: self.mutated(value[name])}
        if isinstance(value, list) and value and self.chance.random() < 0.6:
            at = self.chance.randrange(len(value))
            return value[:at] + [self.mutated(value[at])] + value[at + 1:] * self.chance.choice([1, 1, 300])
        return self.strange()

    def mutated_target(self, target):
        path, _, query = target.partition("?")
        draw = self.chance.random()
        if draw < 0.5 and query:
            fields = query.split("&")
            at = self.chance.randrange(len(fields))
            fields[at] = fields[at].split("=")[0] + "=" + urllib.parse.quote(str(self.strange()), safe=self.chance.choice(["", "/<>'=&;"]))
            return path + "?" + "&".join(fields * self.chance.choice([1, 1, 1, 2]))
        parts = path.split("/")
        at = self.chance.randrange(1, len(parts))
        parts[at] = urllib.parse.quote(str(self.strange()), safe=self.chance.choice(["", "/.;"]))
        return "/".join(parts) + (f"?{query}" if query else "")

    def one(self, actor):
        """(bytes, route; None where it may be no request any more, whether the head alone is wanted)."""
        route = self.chance.choice(self.api.routes)
        target, method, headers = self.api.target(route, self.chance), route.method, dict(actor.headers())
        body = self.api.value(route.body, self.chance) if route.body else None
        if self.chance.random() < 0.35:
            target = self.mutated_target(target)
        if body is not None and self.chance.random() < 0.7:
            body = self.mutated(body)
        if self.chance.random() < 0.05:
            headers[self.chance.choice(["X-CSRF-Token", "Cookie", "Range", "Content-Type", "Accept-Encoding", "X-Forwarded-For", "X-Forwarded-User", "Origin"])] = \
                re.sub(r"[\r\n\0]", "", str(self.strange()))[:3000].encode("ascii", "replace").decode()
        if self.chance.random() < 0.03:
            method = self.chance.choice(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
        content = b"" if body is None else json.dumps(body).encode()
        if content:
            headers.setdefault("Content-Type", "application/json")
        if self.chance.random() < 0.1 and content:
            content = self.broken_bytes(content)
        if content or method not in ("GET", "HEAD"):
            headers["Content-Length"] = len(content)
        text = request(method, "/api/v1" + target, headers, content)
        if self.chance.random() < 0.1:
            return self.broken_bytes(text), None, False
        return text, route if method == route.method else None, method == "HEAD"

    def broken_bytes(self, text):
        for _ in range(self.chance.randrange(1, 4)):
            at, draw = self.chance.randrange(len(text) + 1), self.chance.random()
            if draw < 0.4:
                text = text[:at] + self.chance.choice(STREWN) + text[at:]
            elif draw < 0.6:
                text = text[:at]
            elif draw < 0.8:
                text = text[:at] + text[at + self.chance.randrange(1, 20):]
            else:
                text = text[:at] + bytes([self.chance.randrange(256)]) + text[at + 1:]
        return text


class Fuzzing(threading.Thread):
    def __init__(self, program, api, number, arguments):
        super().__init__(daemon=True)
        self.program, self.api, self.until = program, api, time.monotonic() + arguments.seconds
        self.fuzzer = Fuzzer(api, random.Random(arguments.seed * 100 + number))
        self.actors = {}
        for name, role in ROLES.items():
            self.actors[name] = Actor(program.port, name, f"127.0.1.{number + 1}")
            if role:
                self.actors[name].log_in()
        self.counts, self.failure, self.last = {}, None, b""

    def run(self):
        try:
            while time.monotonic() < self.until:
                self.step()
        except (SystemExit, Exception) as error:  # a thread's end is the test's
            self.failure = f"{type(error).__name__}: {error}; after {self.last[:2000]}"

    def step(self):
        name = self.fuzzer.chance.choice(list(self.actors))
        actor = self.actors[name]
        self.last, route, head = self.fuzzer.one(actor)
        answers = broken(self.program.port, self.last) if route is None else [actor.exchange(self.last, head)]
        for answer in answers:
            self.check(answer, route, name, head)
        if route and answers[0].header("Content-Type") == "text/event-stream":
            actor.hang_up()
        if route and route.path == "/session" and answers[0].status in (200, 204):
            self.enter_again(name, route)

    def enter_again(self, name, route):
        """A log-out that came through, or a log-in as somebody else."""
        if ROLES[name] and route.method != "GET":
            self.actors[name].hang_up()
            self.actors[name].source = f"127.0.2.{self.fuzzer.chance.randrange(1, 250)}"
            self.actors[name].log_in()

    def check(self, answer, route, name, head):
        self.counts[answer.status] = self.counts.get(answer.status, 0) + 1
        require(answer.status != 500, f"500: {answer.body[:1000]}")
        require(not any(secret in answer.body for secret in NEVER), f"it shows a secret: {answer.body[:300]}")
        if answer.status >= 400 and not head and route:
            require_error(answer, "refused")
        if answer.status < 400 and answer.header("Content-Type") == "application/json" and not head:
            answer.json()
        if route and answer.status < 400 and not self.last.startswith(b"GET / "):
            require(self.api.may(route, ROLES[name]), f"{name} may not {route.method} {route.path}: {answer.status} {answer.body[:300]}")


def fuzz(program, api, arguments):
    before = program.resident_kib()
    threads = [Fuzzing(program, api, number, arguments) for number in range(arguments.threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(arguments.seconds + 300)
    program.require_alive("while it was fuzzed")
    counts = {}
    for thread in threads:
        require(thread.failure is None, f"seed {arguments.seed}: {thread.failure}")
        for status, count in thread.counts.items():
            counts[status] = counts.get(status, 0) + count
    require(any(status < 300 for status in counts), f"some requests are right: {counts}")
    print(f"{sum(counts.values())} answers to fuzzed requests of seed {arguments.seed} in {arguments.seconds} s, by status: "
          + ", ".join(f"{status}: {count}" for status, count in sorted(counts.items())))
    print(f"resident before and after: {before // 1024} and {program.resident_kib() // 1024} MiB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("fixture", type=pathlib.Path)
    parser.add_argument("checkout", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=4)
    arguments = parser.parse_args()
    arguments.seed = arguments.seed or random.SystemRandom().randrange(1, 10 ** 6)
    api, program = Api(arguments.checkout), Program(arguments.fixture)
    try:
        owner = Actor(program.port, "owner").log_in()
        api.look(owner)
        for attack in (path_traversal, oversized, slow, wrong_types, forgery, fixation, brute_force, broken_requests):
            print(f"{attack.__name__}: {attack(program.port, api)}", flush=True)
            program.require_alive(f"in {attack.__name__}")
        print(f"scripts_in_names: {scripts_in_names(program.port, api, arguments.checkout)}", flush=True)
        fuzz(program, api, arguments)
        program.end()
    finally:
        program.kill()
    print("no crash, no leak, no access, one JSON error each")


if __name__ == "__main__":
    main()
