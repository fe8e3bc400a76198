"""Which programs of examples/notes/start.py get the worker's secret, by what they are; nothing is started."""

import json
import os
import sys
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "notes"))
import start  # noqa: E402

start.DATA = Path(os.environ["DATA"]) / "data"
got = {}


class Popen:
    def __init__(self, args, env, **_more):
        names = ("latchkey.js", "uvicorn", "worker.py")
        name = next(name for name in names if any(str(arg).endswith(name) for arg in args))
        secret = (start.DATA / "worker-secret").read_text()
        got[name] = secret in env.values()
        self.args = args

    def poll(self):
        return None

    def terminate(self):
        pass

    wait = terminate


with (
    mock.patch.object(start.subprocess, "Popen", Popen),
    mock.patch.object(start, "answers", lambda _url: True),
    mock.patch.object(start.time, "sleep", mock.Mock(side_effect=KeyboardInterrupt)),
    mock.patch("builtins.print"),
):
    start.run_all()
json.dump(got, sys.stdout)
