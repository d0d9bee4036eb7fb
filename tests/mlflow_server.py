"""A stand-in for an MLflow server. It holds requests to what MLflow's REST documentation says of them (https://mlflow.org/docs/latest/rest-api.html):
fields, limits of log-batch, parameters that never change, keys; and keeps what was logged."""

import base64
import http.server
import json
import re
import threading
import urllib.parse

KEY = re.compile(r"[\w\-. /]+\Z", re.ASCII)
STATUS = {"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"}


class Refusal(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


class Mlflow:
    """`prefix` stands before every path, `user` is (name, password) or None, `artifacts` the root of artefacts."""

    def __init__(self, prefix="", user=None, artifacts="mlflow-artifacts:"):
        self.prefix, self.user, self.root = prefix, user, artifacts
        self.experiments = {"0": "Default"}
        self.runs, self.files, self.faults, self.requests = {}, {}, [], 0
        self.fails = lambda number: False  # whether the request of this number gets no answer that helps
        self.lock = threading.Lock()
        self.server, self.port = None, 0

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with outer.lock:
                    status, reply = outer.reply(self.command, self.path, dict(self.headers), body)
                text = json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def reply(self, method, path, headers, body):
        self.requests += 1
        if self.fails(self.requests):
            return 503, {"message": "busy"}
        try:
            return 200, self.answer(method, path, headers, body)
        except Refusal as refusal:
            if refusal.code != "RESOURCE_DOES_NOT_EXIST":
                self.faults.append(f"{method} {path}: {refusal}")
            return refusal.status, {"error_code": refusal.code, "message": str(refusal)}

    def answer(self, method, path, headers, body):
        parts = urllib.parse.urlsplit(path)
        self.need(parts.path.startswith(self.prefix), f"a path under {self.prefix}")
        if self.user:
            want = "Basic " + base64.b64encode(":".join(self.user).encode()).decode()
            self.need(headers.get("Authorization") == want, "the user's name and password")
        place = parts.path[len(self.prefix):]
        artifact = re.fullmatch(r"/api/2.0/mlflow-artifacts/artifacts/(.+)", place)
        if artifact and method == "PUT":
            self.files[urllib.parse.unquote(artifact[1])] = body
            return {}
        self.need(place.startswith("/api/2.0/mlflow/"), f"an endpoint of MLflow, not {place}")
        name = place[len("/api/2.0/mlflow/"):]
        if method == "GET":
            return self.got(name, urllib.parse.parse_qs(parts.query))
        self.need(headers.get("Content-Type", "").startswith("application/json"), "JSON")
        return self.posted(name, json.loads(body))

    def got(self, name, query):
        self.need(name == "experiments/get-by-name", f"a GET that exists, not {name}")
        (wanted,) = query["experiment_name"]
        for number, title in self.experiments.items():
            if title == wanted:
                return {"experiment": {"experiment_id": number, "name": title, "lifecycle_stage": "active"}}
        raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"no experiment {wanted}")

    def posted(self, name, body):
        call = {"experiments/create": self.create_experiment, "runs/create": self.create_run, "runs/search": self.search, "runs/log-batch": self.log,
                "runs/update": self.update}.get(name)
        self.need(call, f"a POST that exists, not {name}")
        return call(body)

    def create_experiment(self, body):
        self.fields(body, {"name": str})
        number = str(len(self.experiments))
        self.experiments[number] = body["name"]
        return {"experiment_id": number}

    def create_run(self, body):
        self.fields(body, {"experiment_id": str, "run_name": str, "start_time": int, "tags": list})
        self.need(body["experiment_id"] in self.experiments, "an experiment that is there")
        tags = {tag["key"]: tag["value"] for tag in body["tags"]}
        parent = tags.get("mlflow.parentRunId")
        self.need(parent is None or parent in self.runs, "a parent that is there")
        number = f"{len(self.runs):032x}"
        self.runs[number] = {"name": body["run_name"], "experiment": body["experiment_id"], "tags": tags, "params": {}, "metrics": [], "status": "RUNNING"}
        info = {"run_id": number, "run_uuid": number, "status": "RUNNING",
                "artifact_uri": f"{self.root}/{body['experiment_id']}/{number}/artifacts"}
        self.runs[number]["info"] = info
        return {"run": {"info": info, "data": {}}}

    def search(self, body):
        self.fields(body, {"experiment_ids": list, "filter": str, "run_view_type": str, "max_results": int})
        wanted = dict(re.findall(r"tags\.`([^`]+)` = '([^']*)'", body["filter"]))
        self.need(wanted, f"a filter over tags, not {body['filter']}")
        found = [run["info"] for run in self.runs.values() if run["experiment"] in body["experiment_ids"] and wanted.items() <= run["tags"].items()]
        return {"runs": [{"info": info, "data": {}} for info in found[:body["max_results"]]]} if found else {}

    def log(self, body):
        run = self.run(body)
        metrics, params, tags = body.get("metrics", []), body.get("params", []), body.get("tags", [])
        self.need(len(metrics) <= 1000 and len(params) <= 100 and len(tags) <= 100 and len(metrics) + len(params) + len(tags) <= 1000, "a batch within the limits")
        for metric in metrics:
            self.fields(metric, {"key": str, "value": (int, float), "timestamp": int, "step": int})
            self.need(KEY.match(metric["key"]) and len(metric["key"]) <= 250, f"a key, not {metric['key']}")
            self.need(metric["timestamp"] > 1.6e12, f"milliseconds, not {metric['timestamp']}")
        for param in params:
            self.fields(param, {"key": str, "value": str})
            self.need(KEY.match(param["key"]) and len(param["key"]) <= 250 and len(param["value"]) <= 500, f"a parameter, not {param}")
            self.need(run["params"].get(param["key"], param["value"]) == param["value"], f"the parameter {param['key']} never to change")
        run["metrics"] += metrics
        run["params"].update({param["key"]: param["value"] for param in params})
        return {}

    def update(self, body):
        run = self.run(body)
        self.need(body["status"] in STATUS and isinstance(body.get("end_time", 1), int), f"a status, not {body}")
        run["status"] = body["status"]
        return {"run_info": run["info"]}

    def run(self, body):
        if body.get("run_id") not in self.runs:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"no run {body.get('run_id')}")
        return self.runs[body["run_id"]]

    @staticmethod
    def need(condition, what):
        if not condition:
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"wanted {what}")

    def fields(self, body, types):
        for name, kind in types.items():
            self.need(isinstance(body.get(name), kind) and not isinstance(body.get(name), bool), f"{name} in {body}")
