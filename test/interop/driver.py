"""Shared by the two drivers: loads the prototype named by GRASPY_DIR, speaks JSON lines, converts values.

A line for the tests begins with '@@ '; whatever else is printed comes from the prototype. Its own dialogue is
skipped, and its message encryption is off, so that it speaks plain RFC 8990.
"""
import json
import os
import sys
import types

sys.path.insert(0, os.environ["GRASPY_DIR"])
keys = types.ModuleType("quadsk")
keys.key = "No key"
keys.iv = None
sys.modules["quadsk"] = keys
# Its windows are never opened; where there is no tkinter, it would wait 10 s to say so.
sys.modules["tkinter"] = types.ModuleType("tkinter")
sys.modules["tkinter"].font = None

import cbor2
import grasp

grasp.skip_dialogue(silent=True, figging=False, diagnosing=False)


def say(**fields):
    """One line for the tests."""
    print("@@ " + json.dumps(fields), flush=True)


def from_json(value):
    """Values in the notation of the command line: $bytes, $map, everything else as JSON has it."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if isinstance(value, dict):
        if "$bytes" in value:
            return bytes.fromhex(value["$bytes"])
        if "$map" in value:
            return {from_json(k): from_json(v) for k, v in value["$map"]}
        return {k: from_json(v) for k, v in value.items()}
    return value


def to_json(value):
    """The other way round."""
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": value.hex()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        if all(isinstance(k, str) for k in value):
            return {k: to_json(v) for k, v in value.items()}
        return {"$map": [[to_json(k), to_json(v)] for k, v in value.items()]}
    return value


def make_value(step):
    """The value of a step; as bytes that are CBOR (which the prototype sends in tag 24) if it says tag24."""
    value = from_json(step["value"])
    return cbor2.dumps(value) if step.get("tag24") else value


def begin(asa, name, dry):
    """Registers the ASA and a negotiation objective."""
    error, handle = grasp.register_asa(asa)
    assert not error, grasp.etext[error]
    objective = grasp.objective(name)
    objective.neg = True
    objective.dry = dry
    error = grasp.register_obj(handle, objective)
    assert not error, grasp.etext[error]
    return handle, objective


def play(handle, session, moves, answer):
    """Does the moves of one session in turn, having received `answer`; says how it ended."""
    for move in moves:
        if move["do"] == "accept":
            error = grasp.end_negotiate(handle, session, True)
            return say(event="end", state="accepted", value=to_json(answer.value), code=error)
        if move["do"] == "decline":
            error = grasp.end_negotiate(handle, session, False, reason=move.get("reason"))
            return say(event="end", state="declined", reason=move.get("reason"), code=error)
        if move["do"] == "wait":
            error = grasp.negotiate_wait(handle, session, move["ms"])
            say(event="waited", code=error)
            grasp.time.sleep(move["sleep"])
            continue
        answer.value = make_value(move)
        sent = to_json(answer.value)
        error, more, reply = grasp.negotiate_step(handle, session, answer, move.get("timeout", 20000))
        if error == grasp.errors.declined:
            return say(event="end", state="declined", reason=reply, code=error)
        if error:
            return say(event="end", state="failed", reason=grasp.etext[error], code=error)
        if more is None:
            return say(event="end", state="accepted", value=sent, code=0)
        answer = reply
        say(event="offered", value=to_json(answer.value), loopCount=answer.loop_count, dry=bool(answer.dry))
    return say(event="end", state="out of moves")


def plan():
    """What the test asks for: the JSON in the first argument."""
    return json.loads(sys.argv[1])
