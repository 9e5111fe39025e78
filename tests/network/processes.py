"""Processes of this machine, as tests look at them."""

import os


def stat_of(pid):
    """Its name, its state and its parent; None: there is none of that number."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            text = file.read()
    except OSError:
        return None
    state, parent = text.rsplit(")", 1)[1].split()[:2]
    return text[text.index("(") + 1:text.rindex(")")], state, int(parent)


def processes():
    return [int(path) for path in os.listdir("/proc") if path.isdigit()]


def name_of(pid):
    stat = stat_of(pid)
    return stat[0] if stat else ""


def parent_of(pid):
    stat = stat_of(pid)
    return stat[2] if stat else -1


def is_gone(pid):
    stat = stat_of(pid)
    return stat is None or stat[1] == "Z"


def descendants(root):
    """Processes that came of one, with their names."""
    children = {}
    for pid in processes():
        stat = stat_of(pid)
        if stat:
            children.setdefault(stat[2], []).append((pid, stat[0]))
    found, todo = [], [root]
    while todo:
        for pid, name in children.get(todo.pop(), []):
            found.append((pid, name))
            todo.append(pid)
    return found


def relays_of(root):
    return [pid for pid, name in descendants(root) if name == "cay-net"]
