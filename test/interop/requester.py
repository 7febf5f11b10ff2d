"""The prototype as the initiator: {"objective", "requests": [{"value", "tag24", "dry", "loopCount", "moves"}, ...]}."""
from driver import begin, grasp, make_value, plan, play, say, to_json

wanted = plan()
dry_allowed = any(request.get("dry") for request in wanted["requests"])
handle, objective = begin("Requester", wanted["objective"], dry_allowed)
peers = []
while not peers:
    error, peers = grasp.discover(handle, objective, 1000)
    assert not error, grasp.etext[error]
peer = peers[0]
say(event="found", address=str(peer.locator), port=peer.port, diverted=peer.diverted)
for request in wanted["requests"]:
    objective.dry = request.get("dry", False)
    objective.loop_count = request.get("loopCount", 6)
    objective.value = make_value(request)
    error, session, answer = grasp.req_negotiate(handle, objective, peer, request.get("timeout", 20000))
    if error == grasp.errors.declined:
        say(event="end", state="declined", reason=answer, code=error)
    elif error:
        say(event="end", state="failed", reason=grasp.etext[error], code=error)
    elif session is None:
        say(event="end", state="accepted", value=to_json(answer.value), code=0)
    else:
        say(
            event="offered",
            value=to_json(answer.value),
            tag24=isinstance(answer.value, bytes),
            loopCount=answer.loop_count,
            dry=bool(answer.dry),
        )
        play(handle, session, request["moves"], answer)
say(event="finished")
