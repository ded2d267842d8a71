"""Started by torchrun: runs several scripts in turn in each of its processes, which import torch only once.

The argument is JSON: a list of pairs of a free port and a command, the script's file and its arguments.
"""

from __future__ import annotations

import json
import os
import runpy
import sys

# Processes find each other by what torchrun keeps for them, but only once: here the first one keeps it.
os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "False"
for port, command in json.loads(sys.argv[1]):
    os.environ["MASTER_PORT"] = str(port)
    sys.argv = command
    try:
        runpy.run_path(command[0], run_name="__main__")
    except SystemExit as ended:
        if ended.code:
            raise
