"""Workers that do not do what they should: ``python -S fake_worker.py MANNER ... FOLDER``, no package needed.

Their lines are written out by hand, so the tests that use them also hold the form of the messages.
"""

import json
import os
import sys
import time

UNIT = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]


def started():
    return {"@": "Started", "of": {"device": "cpu"}}


def step(index):
    values = {"@": "array", "dtype": "<f8", "shape": [4, 4], "values": UNIT}
    of = {"index": index, "of": None, "phase": "pose", "time": 0.5, "made_at": 0.0}
    of["transform"] = {"@": "Matrix", "of": {"values": values}}
    of["metrics"] = {"@": "dict", "of": {"overlap": 1.0}}
    return {"@": "StepMade", "of": of}


def finished(stopped):
    return {"@": "Finished", "of": {"stopped": stopped, "seconds": {"@": "dict", "of": {}}, "measures": []}}


def say(*messages):
    sys.stdout.write("".join(json.dumps(message) + "\n" for message in messages))
    sys.stdout.flush()


def wait_for(word):
    for line in sys.stdin:
        if line.strip() == word:
            return
    os._exit(1)


def polite():
    """Two steps, and the end when asked for it."""
    wait_for("inputs")
    say(started(), step(0), step(1))
    wait_for("stop")
    say(step(2), finished(True))


def deaf():
    """Two steps, and no ear."""
    say(started(), step(0), step(1))
    time.sleep(3600)


def stepless():
    """Started, and no step ever."""
    say(started())
    time.sleep(3600)


def slow_to_finish():
    """Answers in time that there will be no more steps, and needs longer for the result."""
    say(started(), step(0))
    wait_for("stop")
    say({"@": "Progress", "of": {"text": "Resampling the moving volume..."}})
    time.sleep(1.0)
    say(finished(True))


def silent():
    """Ends well and says nothing."""


def endless():
    """One line without an end, more than a message can have."""
    say(started(), step(0))
    for _ in range(40):
        sys.stdout.write("x" * 2**16)


def piecemeal():
    """Every message in pieces, with noise between them, and things that look like messages."""
    noise = ["Loading weights: 100%\r", "[1, 2, 3]", "{}", "null", '{"@": "Nonsense", "of": {}}', '{"@": "Started"}']
    noise += ['{"@": "Finished", "of": {"stopped": "perhaps", "hours": 3}}', '{"@": "Grid", "of": {"size": [1, 1, 1]}}']
    missing = {"@": "array", "dtype": "<f4", "shape": [9, 9, 9, 3], "file": "nowhere"}
    noise += [json.dumps({"@": "Volume", "of": {"values": missing, "grid": None}}), "[" * 5000, ""]
    for message in (started(), step(0), finished(False)):
        for line in [*noise, json.dumps(message)]:
            for start in range(0, len(line) + 1, 50):
                sys.stdout.write((line + "\n")[start : start + 50])
                sys.stdout.flush()


def talkative():
    """A flood on the standard error."""
    sys.stderr.write("A warning that nobody reads.\n" * 200_000)
    say(started(), step(0), finished(False))


def lingering():
    """Ends its run and stays."""
    say(started(), step(0), finished(False))
    time.sleep(3600)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
