"""Started by torchrun: runs several scripts in turn in each of its processes, which import torch only once.

The argument is JSON: a list of pairs of a free port and a command, the script's name and its arguments.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from gpnerf.system.scripting import run_script  # noqa: E402

# Processes find each other by what torchrun keeps for them, but only once: here the first one keeps it.
os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "False"
for port, (script, *arguments) in json.loads(sys.argv[1]):
    os.environ["MASTER_PORT"] = str(port)
    main = import_module(Path(script).stem).main
    try:
        run_script(lambda main=main, arguments=arguments: main(arguments))
    except SystemExit as ended:
        if ended.code:
            raise
