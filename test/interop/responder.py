"""The prototype as the responder: {"objective", "dry", "sessions": [[move, ...], ...]}; one session after the other."""
from driver import begin, grasp, plan, play, say, to_json

wanted = plan()
handle, objective = begin("Responder", wanted["objective"], wanted.get("dry", False))
say(event="registered")
for moves in wanted["sessions"]:
    error, session, request = grasp.listen_negotiate(handle, objective)
    if error:
        say(event="failed", reason=grasp.etext[error])
        continue
    say(
        event="request",
        value=to_json(request.value),
        tag24=isinstance(request.value, bytes),
        loopCount=request.loop_count,
        dry=bool(request.dry),
    )
    play(handle, session, moves, request)
say(event="finished")
