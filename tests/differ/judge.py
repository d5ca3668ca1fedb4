"""judge.py: where the replies of two servers may differ, and what then must be
the same all the same.  Everywhere else they are the same, byte for byte.

same(args, left, right): whether two replies (values of resp.py) that are not
the same bytes are as good as that.

instead(session, args, left, right): what redis-server replies, raw, once it is
asked such that a difference that stays does not come about; None: it is none.

after(session, args, left, right): looks further, by asking both servers
through session.ask(args), a connection pair that no sequence uses; None, or
what is wrong.  Nothing else is under way meanwhile."""
import time

from resp import ARRAY, MAP
from words import ALL_KEYS

NEAR_MS = 5000  # between the moments at which two busy servers run one command
PAGES_MAX = 1000
SETTLE_S = 5  # in which a server removes what has expired

# Encodings tell of how a server keeps things; clients look at the kind.
FAMILIES = {
    b"int": "string", b"embstr": "string", b"raw": "string",
    b"listpack": "collection", b"quicklist": "collection",
    b"ziplist": "collection", b"linkedlist": "collection",
    b"intset": "collection", b"hashtable": "collection"}


# ---- Differences that stay: these, and no others ---------------------------
# What          Here                    redis-server    Reason
# UNQUEUED      refused within MULTI,   queues it, or   The thread that has the
#               and EXEC is aborted     looks at its    connection executes it;
#                                       second word     EXEC is anyone's.
# came_and_went executes, after WATCH   aborts          Nothing is different.
#               of a key that was not
#               there, came and went

# No sequence sends these within MULTI; limits.py does.
UNQUEUED = """CLIENT ID; CLIENT GETNAME; CLIENT SETNAME x; CLIENT NOSUCH
CLIENT GETNAME x; HELLO; HELLO 2; HELLO 3; HELLO 4; HELLO X; HELLO 3 SETNAME
HELLO 3 SETNAME x; AUTH x; AUTH default x; CONFIG GET port; CONFIG NOSUCH; INFO
INFO server; LASTSAVE; SAVE; BGSAVE"""


def came_and_went(session, queued, left, right):
    """Of EXEC: redis-server executes it now, and without WATCH."""
    aborted = left in ((ARRAY, None), (b"_", b""))
    executed = right[0] == ARRAY and right[1] is not None
    if not aborted or not executed or (
            not session.watches[session.pair].came_and_went()):
        return None
    return session.executed_again(queued)


def watched(session, args, _, __):
    session.watches[session.pair].add(args[1:])


def failed(reply):
    return reply[0] == b"-"


# ---- The clocks of two servers are asked at two moments --------------------


def near(left, right, tolerance):
    if left[0] != b":" or right[0] != b":":
        return False
    left, right = int(left[1]), int(right[1])
    return min(left, right) > 0 and abs(left - right) <= tolerance


def near_ms(_, left, right):
    return near(left, right, NEAR_MS)


def near_s(_, left, right):
    return near(left, right, NEAR_MS / 1000)


def two_numbers(_, left, right):
    return all(reply[0] == ARRAY and len(reply[1]) == 2 and
               all(int(part[1]) >= 0 for part in reply[1])
               for reply in (left, right))


# ---- What has expired is counted until it is removed -----------------------


def no_fewer(_, left, right):
    """redis-server removes when it is asked for a key, and it was asked."""
    return left[0] == right[0] == b":" and (
        0 < int(right[1]) - int(left[1]) <= len(ALL_KEYS))


def settled(session, args, left, right):
    """After DBSIZE: as many, soon."""
    end = time.monotonic() + SETTLE_S
    while left != right and time.monotonic() < end:
        time.sleep(0.01)
        left, right = session.ask(args)
    return None if left == right else (
        f"still not the same after {SETTLE_S} s: {left}, {right}")


# ---- No order is promised --------------------------------------------------


def texts(reply):
    return sorted(part[1] for part in reply[1])


def unordered(_, left, right):
    return left[0] == right[0] and isinstance(left[1], list) and (
        isinstance(right[1], list)) and texts(left) == texts(right)


# ---- Any will do -----------------------------------------------------------


def same_size(args, left, right):
    """Random members: as many; each once, unless they may come again."""
    if left[0] != right[0] or type(left[1]) is not type(right[1]):
        return False
    if not isinstance(left[1], list):
        return left[0] == b"$" and left[1] is not None
    if len(left[1]) != len(right[1]):
        return False
    again = args[0].upper() == b"SRANDMEMBER" and args[2].startswith(b"-")
    return again or len(set(texts(right))) == len(right[1])


def popped(reply):
    if reply[1] is None or reply[0] == b"_":
        return []
    return texts(reply) if isinstance(reply[1], list) else [reply[1]]


def make_equal(session, args, left, right):
    """After SPOP: what is gone and what is left is the set there was; then both
    sets are made the same again."""
    if failed(left):
        return None
    rests = [popped(reply) for reply in session.ask([b"SMEMBERS", args[1]])]
    if sorted(rests[0] + popped(left)) != sorted(rests[1] + popped(right)):
        return "what was popped and what is left are not the same set"
    lost, extra = (sorted(set(rests[0]) - set(rests[1])),
                   sorted(set(rests[1]) - set(rests[0])))
    if lost:
        session.ask_right([b"SADD", args[1], *lost])
    if extra:
        session.ask_right([b"SREM", args[1], *extra])
    return None


def members(session, args, _, right):
    """After SRANDMEMBER: what came is in the set."""
    if failed(right):
        return None
    there = popped(session.ask([b"SMEMBERS", args[1]])[0])
    strangers = set(popped(right)) - set(there)
    return f"not in the set: {sorted(strangers)[:3]}" if strangers else None


def some_key(_, left, right):
    return left[0] == right[0] == b"$" and None not in (left[1], right[1])


def key_of_both(session, _, left, right):
    if right[0] != b"$" or right[1] is None:
        return None
    there = session.ask([b"EXISTS", right[1]])
    return None if there[0] == there[1] == (b":", b"1") else (
        f"{right[1]!r} does not exist: {there}")


# ---- Pages of an iteration: servers cut them as they like ------------------


def is_page(reply):
    return reply[0] == ARRAY and reply[1] is not None and (
        len(reply[1]) == 2 and reply[1][0][0] == b"$" and
        reply[1][1][0] == ARRAY and reply[1][0][1].isdigit())


def page(_, left, right):
    return is_page(left) and is_page(right)


def scan_all(session, args, left, right):
    """The whole iteration brings the same on both."""
    at = 1 if args[0].upper() == b"SCAN" else 2
    if failed(left) or args[at] != b"0":
        return None
    found = [scanned(session, side, args, at) for side in range(2)]
    if None in found:
        return "the iteration does not end"
    return None if found[0] == found[1] else (
        f"the iterations bring {found[0]} and {found[1]}")


def scanned(session, side, args, at):
    """What a side brings, in order, each once; None: it does not end."""
    args = list(args)
    found = set()
    for _ in range(PAGES_MAX):
        reply = session.ask_one(side, args)
        if not is_page(reply):
            return [str(reply)]
        found.update(part[1] for part in reply[1][1][1])
        args[at] = reply[1][0][1]
        if args[at] == b"0":
            return sorted(found)
    return None


# ---- What is a server's own business ---------------------------------------


def family(_, left, right):
    kinds = [FAMILIES.get(reply[1]) for reply in (left, right)]
    return left[0] == right[0] and None not in kinds and kinds[0] == kinds[1]


def greeting(_, left, right):
    """Of HELLO: the same fields; name, version, id and modules are a server's
    own."""
    if left[0] != right[0] or left[0] not in (ARRAY, MAP):
        return False
    fields = [{name[1]: value for name, value in
               zip(reply[1][::2], reply[1][1::2])} for reply in (left, right)]
    return all(fields[0].get(name) == fields[1].get(name)
               for name in (b"proto", b"mode", b"role")) and (
        fields[0].keys() == fields[1].keys())


def client_id(args, left, right):
    return args[1].upper() == b"ID" and left[0] == right[0] == b":" and (
        int(right[1]) > 0)


# ---- Transactions ----------------------------------------------------------


def same_each(queued, left, right):
    """Of EXEC, args is what was queued, a list of steps."""
    if left[0] != ARRAY or right[0] != ARRAY or (
            left[1] is None or right[1] is None):
        return False
    if not len(left[1]) == len(right[1]) == len(queued):
        return False
    return all(one == two or not failed(one) and not failed(two) and
               step[2].same and step[2].same(step[1], one, two)
               for step, one, two in zip(queued, left[1], right[1]))


def after_each(session, queued, left, right):
    """Only SPOP leaves traces; it is the last one before EXEC."""
    if left[0] != ARRAY or left[1] is None:
        return None
    for step, one, two in zip(queued, left[1], right[1]):
        if step[2].name == "SPOP":
            return make_equal(session, step[1], one, two)
    return None


def both_closed(session, _args, _left, _right):
    return session.ends_closed()
