"""An RTSP server for tests: H.264 over RTP inside the connection (RFC 2326, RFC 6184), as cameras send it.

It plays a short clip again and again, at a rate, to one client or more, counts what it sends, and can cut its clients off.
"""

import shutil
import socket
import socketserver
import struct
import subprocess
import threading
import time

PATIENCE_S = 120
MOST_BYTES = 1400  # of an RTP payload
CLOCK = 90_000
FIRST = 2**32 - CLOCK // 4  # of the times, which may begin anywhere (but FFmpeg takes 0 for none) and wrap around


def access_units(path):
    """The pictures of an H.264 file in Annex B with access unit delimiters: a list of NAL units each."""
    units = []
    for nal in path.read_bytes().replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]:
        if nal[0] & 31 == 9:
            units.append([])
        units[-1].append(nal.rstrip(b"\0"))
    return units


def encode(path, frames, size="64x48", rate=25, gop=12):
    """A clip of FFmpeg's test picture whose frames can be decoded in the order in which they come."""
    subprocess.run(
        [shutil.which("ffmpeg"), "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc=size={size}:rate={rate}", "-frames:v", str(frames),
         "-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "0", "-g", str(gop), "-tune", "zerolatency", "-x264-params", "aud=1", str(path)],
        check=True, timeout=PATIENCE_S)


def payloads(nal):
    """The RTP payloads of a NAL unit: itself, or fragments (FU-A)."""
    if len(nal) <= MOST_BYTES:
        return [nal]
    parts = [nal[1:][at : at + MOST_BYTES] for at in range(0, len(nal) - 1, MOST_BYTES)]
    indicator = nal[0] & 0xE0 | 28
    return [bytes([indicator, nal[0] & 31 | (0x80 if i == 0 else 0) | (0x40 if i + 1 == len(parts) else 0)]) + part for i, part in enumerate(parts)]


class RtspServer:
    """`sent` has a count of pictures for each connection that played, in order.

    `most`: pictures, after which a connection ends; `hurry`: how many times quicker they are sent than filmed.
    """

    def __init__(self, units, rate, most=None, hurry=1):
        self.units, self.rate, self.most, self.hurry = units, rate, most, hurry
        self.sent = []
        self.away_until = 0.0
        self.silent = False  # connections stay, and nothing comes
        self.cuts = 0
        self.playing = 0
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                outer.serve(self)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"rtsp://127.0.0.1:{self.server.server_address[1]}/camera"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def cut(self, away_s):
        """Ends every connection, after what was sent, and refuses new ones for so long."""
        self.away_until = time.monotonic() + away_s
        self.cuts += 1
        end = time.monotonic() + PATIENCE_S
        while self.playing:
            if time.monotonic() > end:
                raise TimeoutError(f"a client takes nothing for {PATIENCE_S} s")
            time.sleep(0.005)

    def close(self):
        self.cut(1e9)
        self.server.shutdown()
        self.server.server_close()

    def serve(self, handler):
        connection = handler.connection
        if time.monotonic() < self.away_until:
            return
        try:
            self.talk(handler, connection, threading.Lock())
        except OSError:
            pass

    def talk(self, handler, connection, lock):
        while True:
            first = handler.rfile.read(1)
            if not first:
                return
            if first == b"$":  # a report of the client's, within the connection
                _, count = struct.unpack(">BH", handler.rfile.read(3))
                handler.rfile.read(count)
                continue
            lines = [(first + handler.rfile.readline()).decode().strip()]
            while line := handler.rfile.readline().decode().strip():
                lines.append(line)
            method = lines[0].split()[0]
            headers = dict(line.split(": ", 1) for line in lines[1:])
            more, body = "", ""
            if method == "OPTIONS":
                more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN\r\n"
            if method == "DESCRIBE":
                body = ("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                        "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"
                        f"a=framerate:{self.rate}\r\na=control:streamid=0\r\n")
                more = f"Content-Type: application/sdp\r\nContent-Base: {self.address}/\r\nContent-Length: {len(body)}\r\n"
            if method == "SETUP":
                more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1;timeout=60\r\n"
            with lock:
                connection.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {headers['CSeq']}\r\nSession: 1\r\n{more}\r\n{body}".replace(
                    "Session: 1\r\nTransport", "Transport").encode())
            if method == "PLAY":
                threading.Thread(target=self.play, args=(connection, lock), daemon=True).start()
            if method == "TEARDOWN":
                return

    def play(self, connection, lock):
        mine = len(self.sent)
        self.sent.append(0)
        sequence, began, cuts = 0, time.monotonic(), self.cuts
        self.playing += 1
        try:
            while self.cuts == cuts and (self.most is None or self.sent[mine] < self.most):
                while self.silent and self.cuts == cuts:
                    time.sleep(0.05)
                number = self.sent[mine]
                time.sleep(max(0, began + number / self.rate / self.hurry - time.monotonic()))
                unit = self.units[number % len(self.units)]
                packets = b""
                for i, nal in enumerate(unit):
                    each = payloads(nal)
                    for j, payload in enumerate(each):
                        last = i + 1 == len(unit) and j + 1 == len(each)
                        rtp = struct.pack(">BBHII", 0x80, 96 | (0x80 if last else 0), sequence & 0xFFFF, FIRST + number * CLOCK // self.rate & 0xFFFFFFFF, 7)
                        sequence += 1
                        packets += struct.pack(">BBH", ord("$"), 0, len(rtp) + len(payload)) + rtp + payload
                with lock:
                    connection.sendall(packets)
                self.sent[mine] += 1
            connection.shutdown(socket.SHUT_WR)  # what was sent arrives; the client hangs up
        except OSError:
            pass  # the client left
        finally:
            self.playing -= 1
