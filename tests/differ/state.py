"""state.py: what is done instead of sending a command: time passes, the server
that is compared is started anew, and all that both have is compared."""
import time

import judge

WAIT_MARGIN_MS = 2
READ = {b"string": (b"GET",), b"list": (b"LRANGE", b"0", b"-1"),
        b"set": (b"SMEMBERS",)}
SHOWN_MAX = 200


def wait(_, args):
    """For a moment of the clock, of which nobody tells."""
    time.sleep((int(args[0]) + WAIT_MARGIN_MS) / 1000)


def of_key(session, side, key):
    """Type, value, what is left of it in milliseconds."""
    kind = session.ask_one(side, [b"TYPE", key])[1]
    name, *args = READ[kind]
    value = session.ask_one(side, [name, key, *args])
    if kind == b"set":
        value = judge.texts(value)
    return kind, value, session.ask_one(side, [b"PTTL", key])


def compare(session, _):
    """None, or which key is not the same."""
    keys = [judge.texts(session.ask_one(side, [b"KEYS", b"*"]))
            for side in range(2)]
    if keys[0] != keys[1]:
        only = [sorted(set(keys[side]) - set(keys[1 - side]))
                for side in range(2)]
        return f"keys of one alone: {only[0]}, and of the other one: {only[1]}"
    for key in keys[0]:
        left, right = (of_key(session, side, key) for side in range(2))
        if left[:2] != right[:2] or left[2] != right[2] and (
                not judge.near_ms(None, left[2], right[2])):
            return (f"{key!r} is {str(left)[:SHOWN_MAX]}, and "
                    f"{str(right)[:SHOWN_MAX]}")
    return None


def restart(session, args):
    """The server is killed, or stopped, and started again; then as compare."""
    session.restarted(args[0] == b"kill")
    return compare(session, None)
