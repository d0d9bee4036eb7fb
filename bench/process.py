"""What the scripts here do with other programs."""

import json
import subprocess
import sys


def json_of(command):
    """What a command prints, as JSON; ends this program with its message where it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return json.loads(done.stdout or "{}")
