"""watches.py: whether EXEC has to be aborted, as redis-server itself tells.

fixkv does not notice that a watched key which was not there came and went
before EXEC (nothing is different then); redis-server aborts.  Which of its keys
made redis-server abort, it does not say; so what a pair of connections watches
is watched by one connection more, but for the keys that are not there: of those
it is enough to know whether they are there when EXEC comes."""
from resp import ARRAY


class Watches:
    """Of one pair of connections."""

    def __init__(self, ask):
        """ask(args): the value of redis-server's reply, on a connection that
        nobody else uses."""
        self.ask = ask
        self.seen = set()
        self.absent = set()

    def add(self, keys):
        """Right after the pair's WATCH.  A key that is watched already stays
        as it was then."""
        for key in keys:
            if key in self.seen:
                continue
            self.seen.add(key)
            if self.is_there(key):
                self.ask([b"WATCH", key])
            else:
                self.absent.add(key)

    def clear(self):
        if self.seen:
            self.ask([b"UNWATCH"])
        self.seen.clear()
        self.absent.clear()

    def is_there(self, key):
        return self.ask([b"EXISTS", key]) == (b":", b"1")

    def came_and_went(self):
        """After an EXEC that redis-server aborted: no other reason than a key
        that was not there, and is not."""
        self.ask([b"MULTI"])
        untouched = self.ask([b"EXEC"]) == (ARRAY, [])
        return bool(self.absent) and untouched and (
            not any(map(self.is_there, self.absent)))
