"""A run sends itself to an MLflow server (mlflow_server.py): a run for the study, one below it for each trial, with parameters, the metrics of rounds and
steps, and artefacts. A server that is away or fails now and then loses nothing and doubles nothing."""

import csv
import json
import os
import socket
import subprocess

from mlflow_server import Mlflow
from small import Place, require

OPTIONS = ("--set", "teacher=~", "--set", "oracle={kind: truth}", "--set", "student.training.steps=20")
for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[name]
place = Place()


def run(out, uri, *more, rounds=1, **environment):
    command = [word for word in place.command(out, *OPTIONS, "--set", f"rounds={rounds}", *more) if word != "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env={**os.environ, "MLFLOW_TRACKING_URI": uri, **environment})
    require(done.returncode == 0, f"{out}: the run ends well, whatever MLflow does: {done.stderr}")
    return done.stderr


def steps(out):
    """The steps of each training, by its name."""
    found = {}
    for file in sorted((place.path / out / "training").glob("*/steps.jsonl")):
        for line in map(json.loads, file.read_text().splitlines()):
            found.setdefault(line["training"], []).append(line)
    return found


def check(server, out, experiment="Default"):
    """Everything of the folder is at the server, once."""
    require(not server.faults, f"{out}: MLflow takes every request: {server.faults}")
    by_name = {run["name"]: run for run in server.runs.values()}
    require(len(by_name) == len(server.runs) == 5, f"{out}: a run for the study and one for each trial: {sorted(by_name)}")
    require({server.experiments[run["experiment"]] for run in server.runs.values()} == {experiment}, f"{out}: in the experiment {experiment}")
    (study,) = [run for run in server.runs.values() if "mlflow.parentRunId" not in run["tags"]]
    require(study["params"]["budget"] == "8" and study["params"]["student.training.steps"] == "20", f"{out}: the recipe as parameters: {study['params']}")
    require(all(run["status"] == "FINISHED" for run in server.runs.values()), f"{out}: finished")
    curve = list(csv.DictReader((place.path / out / "curve.csv").open()))
    trained = steps(out)
    require(trained, f"{out}: the steps of trainings are logged")
    for arm in ("random", "margin"):
        for seed in ("1", "2"):
            trial = by_name[f"{arm} seed {seed}"]
            require(trial["tags"]["mlflow.parentRunId"] == study["info"]["run_id"], f"{out}: below the study's")
            require((trial["params"]["arm"], trial["params"]["seed"], trial["params"]["strategy.name"]) == (arm, seed, arm), f"{out}: with its options: {trial['params']}")
            logged = [(m["step"], m["value"]) for m in trial["metrics"] if m["key"] == "accuracy"]
            wanted = [(int(row["answers"]), float(row["accuracy"])) for row in curve if (row["arm"], row["seed"]) == (arm, seed)]
            require(sorted(logged) == sorted(wanted), f"{out}: the rounds of {arm} {seed}, once each: {logged}, not {wanted}")
            for training, lines in trained.items():
                begin = f"{arm} seed {seed} "
                if training.startswith(begin):
                    losses = [(m["step"], m["value"]) for m in trial["metrics"] if m["key"] == "loss/" + training[len(begin):]]
                    require(losses == [(line["step"], line["loss"]) for line in lines], f"{out}: the losses of {training}, once each: {losses}")
    folder = place.path / out
    where = study["info"]["artifact_uri"].removeprefix("mlflow-artifacts:").lstrip("/")
    for name in ("report.html", "curve.csv", "report.json", "recipe.yaml"):
        require(server.files.get(f"{where}/{name}") == (folder / name).read_bytes(), f"{out}: {name} is an artefact")
    models = [name for name in server.files if name.endswith(".safetensors")]
    require(sorted(name.rsplit("/", 1)[1] for name in models) == ["margin.safetensors", "random.safetensors"], f"{out}: and the models: {models}")


# Under a prefix, with a user and an experiment of its own.
server = Mlflow(prefix="/ml", user=("ann", "secret"))
uri = server.start()
words = run("whole", uri + "/", MLFLOW_TRACKING_USERNAME="ann", MLFLOW_TRACKING_PASSWORD="secret", MLFLOW_EXPERIMENT_NAME="suture & more")
require("MLflow" not in words, f"nothing is said where all goes well: {words}")
check(server, "whole", "suture & more")
loss = [line["loss"] for line in steps("whole")["random seed 1 round 0"]]
require(len(loss) == 20, f"a line a step of a short training: {loss}")

# A repeated command sends nothing twice; more rounds are added to the same runs.
run("whole", uri, MLFLOW_TRACKING_USERNAME="ann", MLFLOW_TRACKING_PASSWORD="secret", MLFLOW_EXPERIMENT_NAME="suture & more")
check(server, "whole", "suture & more")
run("whole", uri, rounds=2, MLFLOW_TRACKING_USERNAME="ann", MLFLOW_TRACKING_PASSWORD="secret", MLFLOW_EXPERIMENT_NAME="suture & more")
check(server, "whole", "suture & more")
server.stop()

# Nobody listens: said once, and sent by the next start.
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
server = Mlflow()
server.port = port
words = run("away", f"http://127.0.0.1:{port}", "--jobs", "2")
require(words.count("the run goes on") == 1, f"that it is away is said once: {words}")
run("away", server.start())
check(server, "away")
server.stop()

# Another server gets everything of a finished run, though it fails now and then.
server = Mlflow()
server.fails = lambda number: number % 4 == 0
run("whole", server.start(), rounds=2)
check(server, "whole")
server.stop()

# Artefacts that lie elsewhere, and an address that is none.
server = Mlflow(artifacts="file:///srv/mlruns")
words = run("away", server.start())
require("--serve-artifacts" in words and not server.files and not server.faults, f"artefacts elsewhere are said: {words} {server.faults}")
server.stop()
require("the run goes on without MLflow" in run("away", "sqlite:///runs.db"), "an address that is none is said")
print("MLflow has what the folder has")
