"""distal users: who may log in at distal serve is kept from the command line too. A server that others reach starts once an owner has
a password; passwords come from stdin and are printed nowhere; a link logs in once."""

import http.client
import json
import os
import pathlib
import pty
import select
import subprocess
import sys
import tempfile

from small import require

PASSWORD = "correct horse battery"


def users(*words, said="", code=0):
    run = subprocess.run([sys.argv[1], "users", *words, "--store", store], input=said, capture_output=True, text=True, timeout=60)
    require(run.returncode == code, f"users {words}: exit {run.returncode}, not {code}: {run.stdout}{run.stderr}")
    require(PASSWORD not in run.stdout + run.stderr, "a password is printed nowhere")
    return run.stdout + run.stderr


def post(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/api/v1/" + path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


def typed_at_a_terminal(words, lines):
    """What a terminal shows while the lines are typed, each after a prompt."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(sys.argv[1], [sys.argv[1], *words])
    shown = b""
    for line in lines:
        while not shown.rstrip(b" ").endswith(b":"):
            require(select.select([terminal], [], [], 60)[0], f"a prompt comes: {shown}")
            shown += os.read(terminal, 1000)
        shown += b"\n"
        os.write(terminal, line.encode() + b"\n")
    try:
        while select.select([terminal], [], [], 60)[0]:
            shown += os.read(terminal, 1000)
    except OSError:  # it has ended
        pass
    _, status = os.waitpid(process, 0)
    require(os.waitstatus_to_exitcode(status) == 0, f"exit {status}: {shown}")
    return shown.decode()


def serve(*words):
    return subprocess.Popen([sys.argv[1], "serve", store, "--port", "0", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, cwd=folder)


def keeps_users():
    require("olga" not in users("list"), "nobody is there at first")
    require("--bind 0.0.0.0" in refused_bind(), "others reach no server without an owner")
    require("added as owner" in users("add", "olga", "--role", "owner", said=PASSWORD + "\n"), "a user is added")
    require("taken" in users("add", "olga", said=PASSWORD + "\n", code=1), "a name is taken once")
    require("give one of 8" in users("add", "ann", said="short\n", code=1), "a short password is refused")
    require("letters, digits" in users("add", "../ann", said=PASSWORD + "\n", code=1), "a name is plain")
    users("add", "ann", said=PASSWORD + "\n")
    require("none" in users("password", "eve", said=PASSWORD + "\n", code=1), "of nobody no password is changed")
    require("an owner" in users("disable", "olga", code=1), "the last owner stays")
    listed = users("list")
    require("olga" in listed and "annotator" in listed and "argon2" not in listed, f"users are listed: {listed}")


def refused_bind():
    run = subprocess.run([sys.argv[1], "serve", store, "--port", "0", "--bind", "0.0.0.0"], capture_output=True, text=True, timeout=60,
                         cwd=folder)
    require(run.returncode == 2, f"exit {run.returncode}: {run.stderr}")
    return run.stderr


def lets_them_in():
    server = serve("--bind", "0.0.0.0")
    try:
        require(select.select([server.stdout], [], [], 120)[0], "the server says its address")
        address = server.stdout.readline().strip()
        require("#link" not in address, f"an owner has a password: {address}")
        port = int(address.split(":")[2].split("/")[0])
        log_in = {"user": "ann", "password": PASSWORD}
        require(post(port, "session", log_in)[0] == 200, "the password is right")
        users("disable", "ann")
        require(post(port, "session", log_in)[0] == 401, "a disabled user stays out")
        require("enable" in users("link", "ann", code=1), "and gets no link")
        users("enable", "ann")
        users("password", "ann", said="another long one\n")
        require(post(port, "session", log_in)[0] == 401, "an old password is none")
        require(post(port, "session", {"user": "ann", "password": "another long one"})[0] == 200, "the new one is")
        link = users("link", "bob", "--role", "adjudicator", "--address", "https://example.org/distal").strip()
        require(link.startswith("https://example.org/distal/#link="), f"a link is an address: {link}")
        token = {"token": link.split("#link=")[1]}
        status, session = post(port, "session/link", token)
        require(status == 200 and session["role"] == "adjudicator" and session["user"] == "bob", f"{status}: {session}")
        require(post(port, "session/link", token)[0] == 401, "a link is used once")
    finally:
        server.terminate()
        server.communicate(timeout=60)


def hides_what_is_typed():
    words = ["users", "password", "ann", "--store", store]
    shown = typed_at_a_terminal(words, [PASSWORD, PASSWORD])
    require(PASSWORD not in shown, f"a terminal shows no password: {shown}")
    require("new password" in shown, f"it is changed: {shown}")


with tempfile.TemporaryDirectory(prefix="distal-test-") as place:
    folder = pathlib.Path(place)
    store = f"sqlite:{folder / 'people.db'}"
    keeps_users()
    lets_them_in()
    hides_what_is_typed()
print("users: all well")
