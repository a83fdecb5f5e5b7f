"""How much memory this process may still take, on a laptop or in a container with a limit.

Only the standard library is needed, so that the doctor can ask before anything is installed.
"""

import re
from pathlib import Path


def free_memory() -> float | None:
    """Return the bytes of memory that this process may still take, None when unknown.

    The machine's free memory, or what a container's limit leaves of it when that is less (on
    Binder, of 2 GB).
    """
    rooms = [machine_memory(), cgroup_room()]
    return min((room for room in rooms if room is not None), default=None)


def machine_memory() -> float | None:
    """Return the bytes of memory free on the whole machine, None when unknown."""
    try:
        import psutil
    except ImportError:
        try:
            found = re.search(r"^MemAvailable:\s+(\d+) kB", _text("/proc/meminfo"), re.MULTILINE)
        except OSError:
            return None
        return int(found[1]) * 1024 if found else None
    return psutil.virtual_memory().available


def cgroup_room(
    mounted: str | Path = "/sys/fs/cgroup", membership: str | Path = "/proc/self/cgroup"
) -> float | None:
    """Return the bytes that Linux's control groups leave to this process, None without a limit.

    Both versions of control groups are understood, and the limits of every group above this
    process's own count. Pages of files that the kernel may drop at once count as free
    (https://docs.kernel.org/admin-guide/cgroup-v2.html#memory).

    Parameters
    ----------
    mounted : str or Path
        Where the control groups are mounted.
    membership : str or Path
        The file that says which groups this process is in.
    """
    try:
        groups = [line.split(":", 2) for line in _text(membership).splitlines()]
    except OSError:
        return None
    rooms = []
    for _, controllers, group in groups:
        if controllers == "":
            root, limit, usage = Path(mounted), "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root, limit, usage = (
                Path(mounted) / "memory",
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            )
        else:
            continue
        own = Path(group.lstrip("/"))
        for folder in (root / own, *(root / above for above in own.parents)):
            try:
                most = int(_text(folder / limit))  # "max" means no limit
                used = int(_text(folder / usage))
                droppable = re.findall(
                    r"^(?:total_)?inactive_file (\d+)", _text(folder / "memory.stat"), re.MULTILINE
                )
            except (OSError, ValueError):
                continue
            rooms.append(most - used + int(droppable[-1] if droppable else 0))
    return max(0, min(rooms)) if rooms and min(rooms) < 2**60 else None


def _text(path: str | Path) -> str:
    return Path(path).read_text(encoding="utf-8")
