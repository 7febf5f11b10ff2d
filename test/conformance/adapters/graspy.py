"""The adapter of the public Python prototype: the protocol of docs/CONFORMANCE.md by the prototype's RFC 8991 module.

GRASPY_DIR names the user's copy of it. The prototype keeps its state in module globals and cannot be stopped, so the
adapter has no `restart`: each row has a process of its own. Nothing is done here that the prototype does not do
itself: what it has no function for is unsupported.
"""
import ipaddress
import json
import os
import socket
import sys
import threading
import time
import traceback
import types

# Answers go where standard output was; what the prototype prints goes to stderr.
answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
os.dup2(2, 1)
sys.stdout = sys.stderr

sys.path.insert(0, os.environ["GRASPY_DIR"])
# No message encryption: plain RFC 8990 on the wire, and no question for its password.
keys = types.ModuleType("quadsk")
keys.key = "No key"
keys.iv = None
sys.modules["quadsk"] = keys
# Its windows are never opened; where there is no tkinter, it would wait 10 s to say so.
sys.modules["tkinter"] = types.ModuleType("tkinter")
sys.modules["tkinter"].font = None

import acp
import cbor2
import graspi

grasp = graspi.grasp


class Unsupported(Exception):
    """The prototype cannot do that."""


class Failed(Exception):
    """The call failed with a code of RFC 8991 Appendix A."""

    def __init__(self, code):
        text = grasp.etext[code] if code < len(grasp.etext) else ""
        super().__init__(text)
        self.code = code


writing = threading.Lock()
sessions = {}  # handle of the protocol -> (the prototype's handle, objective received last)


def say(line):
    with writing:
        answers.write(json.dumps(line) + "\n")


def check(code):
    if code:
        raise Failed(code)


# ---- what stands in calls and answers


def to_objective(argument):
    made = graspi.objective(argument["name"])
    made.neg = argument.get("negotiate", False)
    made.synch = argument.get("synchronize", False)
    made.dry = argument.get("dryRun", False)
    made.discoverable = argument.get("discoverable", True)
    if "loopCount" in argument:
        made.loop_count = argument["loopCount"]
    if "raw" in argument:
        made.value = bytes.fromhex(argument["raw"])
    elif "value" in argument:
        made.value = cbor2.loads(bytes.fromhex(argument["value"]))
    return made


def from_objective(objective):
    answer = {"name": objective.name, "loopCount": objective.loop_count, "dryRun": bool(objective.dry)}
    answer["value"] = cbor2.dumps(objective.value).hex()
    if isinstance(objective.value, bytes):
        # Raw CBOR reaches an ASA as its bytes, and a byte string too.
        answer["raw"] = objective.value.hex()
    return answer


def to_locator(argument):
    if argument is None:
        return None
    kind, address = argument["kind"], argument["address"]
    interface = argument.get("interface")
    index = socket.if_nametoindex(interface) if interface else None
    made = graspi.asa_locator(address, index, False)
    if kind in ("ipv6", "ipv4"):
        try:
            made.locator = ipaddress.ip_address(address)
        except ValueError as why:
            raise Unsupported("addresses are objects of Python: no other text can be given") from why
        made.is_ipaddress = True
    made.is_fqdn = kind == "fqdn"
    made.is_uri = kind == "uri"
    made.protocol = argument["protocol"]
    made.port = argument["port"]
    return made


def remaining(expire):
    return None if expire == 0 else round((expire - time.monotonic()) * 1000)


def from_locator(found):
    if found is None or found.locator is None:
        return None
    kind = "uri" if found.is_uri else "fqdn" if found.is_fqdn else "ipv%d" % found.locator.version
    answer = {"kind": kind, "address": str(found.locator), "protocol": found.protocol, "port": found.port}
    if found.ifi:
        answer["interface"] = socket.if_indextoname(found.ifi)
    return {**answer, "diverted": bool(found.diverted), "expiresInMs": remaining(found.expire)}


def keep(session, objective):
    for known, (each, _) in sessions.items():
        if each.id_value == session.id_value and each.id_source == session.id_source:
            sessions[known] = (session, objective)
            return known
    handle = "s%d" % (len(sessions) + 1)
    sessions[handle] = (session, objective)
    return handle


def session_of(args):
    """A handle the adapter never gave is one the prototype never gave."""
    known = sessions.get(args["session"])
    return known if known else (grasp._session_handle(-1, None), None)


def answer_of(result):
    code, session, objective, reason = result
    if code == grasp.errors.declined:
        return {"state": "declined", "reason": reason or ""}
    check(code)
    if session is None:
        return {"state": "accepted", "objective": from_objective(objective)}
    return {"state": "offered", "session": keep(session, objective), "objective": from_objective(objective)}


# ---- calls


def hello(_args, _event):
    capabilities = ["overlap", "raw-cbor", "no-security", "dull"]
    version = "%s, %s" % (commit(), grasp._version)
    return {"protocol": 1, "name": "graspy", "version": version, "capabilities": capabilities}


def commit():
    """Of the copy, if it is a git checkout."""
    folder = os.path.join(os.environ["GRASPY_DIR"], ".git")
    try:
        with open(os.path.join(folder, "HEAD"), encoding="ascii") as file:
            head = file.read().strip()
        if head.startswith("ref: "):
            with open(os.path.join(folder, head[5:]), encoding="ascii") as file:
                head = file.read().strip()
        return head[:8]
    except OSError:
        return "commit unknown"


def start(args, _event):
    if grasp._grasp_initialised:
        raise Unsupported("a second engine in one process")
    if args.get("ipv4"):
        raise Unsupported("IPv4")
    if args.get("rapid"):
        raise Unsupported("M_SYNCH or M_NEGOTIATE in answer to a discovery")
    # `acp` is the prototype's view of its platform, meant to be replaced: here it knows the chosen interfaces, and
    # says there is no protection where the row wants that.
    indexes = [socket.if_nametoindex(each) for each in args["interfaces"]]
    get_my_address = acp._get_my_address

    def chosen(build_zone=False):
        found = get_my_address(build_zone)
        if not build_zone:
            return found
        address, zones = found
        return address, [zone for zone in zones if zone[0] in indexes]

    acp._get_my_address = chosen
    if not args.get("insecure"):
        acp.status = lambda: False
    graspi.skip_dialogue(be_dull=args.get("dull") is not None, diagnosing=False, silent=True, figging=False)
    grasp._initialise_grasp()
    return {}


def status(_args, _event):
    """From its globals: it has no function that returns them."""
    found = []
    for index, link_local in grasp._ll_zone_ids:
        name = socket.if_indextoname(index)
        inet6 = acp.netifaces.ifaddresses(name).get(acp.netifaces.AF_INET6, [])
        mine = [str(grasp._my_address)] if str(grasp._my_address) in [each["addr"] for each in inet6] else []
        addresses = [str(link_local)] + mine
        found.append({"name": name, "index": index, "linkLocal": str(link_local), "addresses": addresses})
    security = "none" if not grasp._secure else "insecure"
    return {"interfaces": found, "security": security}


def register_asa(args, _event):
    code, handle = graspi.register_asa(args["name"])
    check(code)
    return {"handle": handle}


def deregister_asa(args, _event):
    check(graspi.deregister_asa(args["asa"], args["name"]))


def register_objective(args, _event):
    if "maxMessageBytes" in args:
        raise Unsupported("a message size of an objective")
    keywords = {each: args[each] for each in ("discoverable", "overlap", "local", "rapid") if each in args}
    if "ttlMs" in args:
        keywords["ttl"] = args["ttlMs"]
    if "locators" in args:
        keywords["locators"] = [to_locator(each) for each in args["locators"]]
    check(graspi.register_obj(args["asa"], to_objective(args["objective"]), **keywords))


def deregister_objective(args, _event):
    check(graspi.deregister_obj(args["asa"], to_objective(args["objective"])))


def discover(args, _event):
    if "unicast" in args:
        raise Unsupported("discovery sent unicast")
    keywords = {"flush": args["flush"]} if "flush" in args else {}
    if "minimumTtlMs" in args:
        keywords["minimum_TTL"] = args["minimumTtlMs"]
    code, found = graspi.discover(args["asa"], to_objective(args["objective"]), args.get("timeoutMs"), **keywords)
    check(code)
    return {"locators": [from_locator(each) for each in found]}


def request_negotiate(args, _event):
    objective, peer = to_objective(args["objective"]), to_locator(args.get("peer"))
    return answer_of(graspi.request_negotiate(args["asa"], objective, peer, args.get("timeoutMs")))


def waits_in_queue(thread):
    """Whether a thread that listens has come to the queue of requests, where it waits."""
    frame = sys._current_frames().get(thread)
    while frame:
        if frame.f_code.co_name == "get" and frame.f_code.co_filename.endswith("queue.py"):
            return True
        frame = frame.f_back
    return False


def listen_negotiate(args, event):
    """The call does not say when it is in effect: it is once it waits for its queue."""
    me, done = threading.get_ident(), threading.Event()

    def watch():
        while not done.wait(0.002):
            if waits_in_queue(me):
                return event("listening")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        code, session, objective = graspi.listen_negotiate(args["asa"], to_objective(args["objective"]))
    finally:
        done.set()
        watcher.join()
    check(code)
    return {"session": keep(session, objective), "objective": from_objective(objective)}


def stop_listen_negotiate(args, _event):
    check(graspi.stop_negotiate(args["asa"], to_objective(args["objective"])))


def negotiate_step(args, _event):
    session, last = session_of(args)
    argument = {"negotiate": True, **args["objective"]}
    if last is not None:
        argument = {"loopCount": last.loop_count, "dryRun": bool(last.dry), **argument}
    return answer_of(graspi.negotiate_step(args["asa"], session, to_objective(argument), args.get("timeoutMs")))


def negotiate_wait(args, _event):
    check(graspi.negotiate_wait(args["asa"], session_of(args)[0], args["timeoutMs"]))


def end_negotiate(args, _event):
    check(graspi.end_negotiate(args["asa"], session_of(args)[0], args["accept"], args.get("reason")))


def send_invalid(args, _event):
    info = {"info": bytes.fromhex(args["info"])} if "info" in args else {}
    check(graspi.send_invalid(args["asa"], session_of(args)[0], **info))


def synchronize(args, _event):
    objective, peer = to_objective(args["objective"]), to_locator(args.get("peer"))
    code, found = graspi.synchronize(args["asa"], objective, peer, args.get("timeoutMs"))
    check(code)
    return {"objective": from_objective(found)}


def listen_synchronize(args, _event):
    check(graspi.listen_synchronize(args["asa"], to_objective(args["objective"])))


def stop_listen_synchronize(args, _event):
    check(graspi.stop_synchronize(args["asa"], to_objective(args["objective"])))


def flood(args, _event):
    tagged = [
        graspi.tagged_objective(to_objective(each["objective"]), to_locator(each["locator"]))
        for each in args["objectives"]
    ]
    check(graspi.flood(args["asa"], args["ttlMs"], tagged))


def get_flood(args, _event):
    code, found = graspi.get_flood(args["asa"], to_objective(args["objective"]))
    check(code)
    floods = [
        {
            "objective": from_objective(each.objective),
            "locator": from_locator(each.source),
            "expiresInMs": remaining(each.source.expire),
        }
        for each in found
    ]
    # The prototype returns the oldest first.
    return {"floods": floods[::-1]}


def expire_flood(args, _event):
    """The prototype wants the very entry that get_flood returned."""
    wanted = to_objective(args["objective"])
    wanted.synch = True
    place = args["locator"]
    key = (place["address"], place["port"]) if place else None
    _, found = graspi.get_flood(args["asa"], wanted)
    entry = graspi.tagged_objective(wanted, to_locator(place))
    for each in found or []:
        locator = from_locator(each.source)
        if (locator and (locator["address"], locator["port"])) == key:
            entry = each
    check(graspi.expire_flood(args["asa"], entry))


CALLS = {
    "hello": hello,
    "start": start,
    "status": status,
    "registerAsa": register_asa,
    "deregisterAsa": deregister_asa,
    "registerObjective": register_objective,
    "deregisterObjective": deregister_objective,
    "discover": discover,
    "requestNegotiate": request_negotiate,
    "listenNegotiate": listen_negotiate,
    "stopListenNegotiate": stop_listen_negotiate,
    "negotiateStep": negotiate_step,
    "negotiateWait": negotiate_wait,
    "endNegotiate": end_negotiate,
    "sendInvalid": send_invalid,
    "synchronize": synchronize,
    "listenSynchronize": listen_synchronize,
    "stopListenSynchronize": stop_listen_synchronize,
    "flood": flood,
    "getFlood": get_flood,
    "expireFlood": expire_flood,
}


def serve(args):
    number = args["id"]
    try:
        call = CALLS.get(args["call"])
        if call is None:
            raise Unsupported("no call " + args["call"])
        if args.get("engine", "main") != "main":
            raise Unsupported("a second engine in one process")
        if args.get("poll") is not None:
            raise Unsupported("polled calls")
        say({"id": number, "ok": call(args, lambda name: say({"event": name, "call": number})) or {}})
    except Unsupported as why:
        say({"id": number, "unsupported": True, "reason": str(why)})
    except Failed as failure:
        say({"id": number, "error": {"code": failure.code, "message": str(failure)}})
    except Exception:  # what the prototype raises is no error of the API: 3 with its whole story
        say({"id": number, "error": {"code": 3, "message": traceback.format_exc()}})


# Any number of calls at the same time; the prototype's own waits block the thread they are made in.
for line in sys.stdin:
    threading.Thread(target=serve, args=(json.loads(line),), daemon=True).start()
os._exit(0)
