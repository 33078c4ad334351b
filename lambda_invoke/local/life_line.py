"""A pipe by which a child process learns that this process has gone, a ``kill -9`` included."""

from __future__ import annotations

import os

_open: set[int] = set()


def _drop_all() -> None:
    """In a fork of this process: its copies would keep the children alive when the parent is killed."""
    for descriptor in _open:
        os.close(descriptor)
    _open.clear()


os.register_at_fork(after_in_child=_drop_all)


class LifeLine:
    """``childs_end`` is handed to a child; the kernel closes the other end when this process ends."""

    def __init__(self) -> None:
        self.childs_end, self._ours = os.pipe()
        _open.add(self._ours)

    def handed_over(self) -> None:
        """Close this process's copy of the child's end, once the child has its own."""
        os.close(self.childs_end)

    def cut(self) -> None:
        """Close our end: to the child it is as if this process had gone. A second time does nothing."""
        if self._ours in _open:
            _open.remove(self._ours)
            os.close(self._ours)
