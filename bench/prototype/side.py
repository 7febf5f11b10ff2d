"""One side of a benchmark on the public Python prototype, a copy of which GRASPY_DIR names.

    side.py responder negotiation|synchronize
    side.py initiator negotiation|synchronize COUNT CONCURRENCY

The responder prints {"event": "ready"} and ends with its standard input; the initiator prints one result. One thread
per lane, as ASAs of the prototype are written. Nothing is retried: what fails is counted.
"""
import json
import os
import sys
import threading
import time
import types

# Results go where standard output was; what the prototype prints goes to stderr's place, unseen.
answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

sys.path.insert(0, os.environ["GRASPY_DIR"])
# No message encryption: plain RFC 8990 on the wire, and no question for its password.
keys = types.ModuleType("quadsk")
keys.key = "No key"
keys.iv = None
sys.modules["quadsk"] = keys
# Its windows are never opened; where there is no tkinter, it would wait 10 s to say so.
sys.modules["tkinter"] = types.ModuleType("tkinter")
sys.modules["tkinter"].font = None

import grasp

TIMEOUT_MS = 10_000
LISTENERS = 64
NAMES = {"negotiation": "bench:negotiation:01", "synchronize": "bench:synchronize:01"}

grasp.skip_dialogue(silent=True, figging=False, diagnosing=False)


def say(line):
    answers.write(json.dumps(line) + "\n")


def check(code):
    if code:
        raise RuntimeError(grasp.etext[code])


def objective(work):
    made = grasp.objective(NAMES[work])
    made.neg = work == "negotiation"
    made.synch = work == "synchronize"
    made.value = ["NZD", 250]
    return made


def respond(work):
    code, asa = grasp.register_asa("bench-responder")
    check(code)
    registered = objective(work)
    check(grasp.register_obj(asa, registered))

    def listen():
        """It listens while a call waits and refuses requests else, so several calls wait."""
        while True:
            code, session, request = grasp.listen_negotiate(asa, registered)
            if not code:
                request.value = ["NZD", 250]
                grasp.negotiate_step(asa, session, request, TIMEOUT_MS)

    if work == "negotiation":
        for _ in range(LISTENERS):
            threading.Thread(target=listen, daemon=True).start()
            # The first one makes the queue that the others share.
            time.sleep(0.01)
    else:
        check(grasp.listen_synchronize(asa, registered))
    say({"event": "ready"})
    sys.stdin.read()


def initiate(work, count, concurrency):
    code, asa = grasp.register_asa("bench-initiator")
    check(code)
    registered = objective(work)
    if work == "negotiation":
        check(grasp.register_obj(asa, registered))
    code, peers = grasp.discover(asa, registered, 1000)
    check(code)
    peer = peers[0]

    def negotiate():
        wanted = objective(work)
        wanted.value = ["NZD", 300]
        code, session, _ = grasp.req_negotiate(asa, wanted, peer, TIMEOUT_MS)
        check(code)
        check(grasp.end_negotiate(asa, session, True))

    def synchronize():
        code, _ = grasp.synchronize(asa, objective(work), peer, TIMEOUT_MS)
        check(code)

    one = negotiate if work == "negotiation" else synchronize
    lock = threading.Lock()
    state = {"started": 0}
    took, reasons = [], {}

    def lane():
        while True:
            with lock:
                if state["started"] >= count:
                    return
                state["started"] += 1
            at = time.monotonic()
            try:
                one()
                took.append((time.monotonic() - at) * 1000)
            except Exception as why:
                with lock:
                    reasons[str(why)] = reasons.get(str(why), 0) + 1

    began, used = time.monotonic(), time.process_time()
    lanes = [threading.Thread(target=lane, daemon=True) for _ in range(concurrency)]
    for each in lanes:
        each.start()
    for each in lanes:
        each.join()
    seconds, used = time.monotonic() - began, time.process_time() - used
    took.sort()

    def quantile(part):
        return round(took[min(len(took) - 1, int(len(took) * part))], 3) if took else 0

    say({
        "failures": sum(reasons.values()),
        "reasons": reasons,
        "rate": round(len(took) / seconds),
        "p50Ms": quantile(0.5),
        "p99Ms": quantile(0.99),
        "cpuUs": round(used * 1e6 / count),
    })


if sys.argv[1] == "responder":
    respond(sys.argv[2])
else:
    initiate(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
os._exit(0)
