"""Sums of libraries on one thread."""

import sys
from types import ModuleType

import numpy  # noqa: F401  # brings a library of linear algebra
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

from asdbench.core import threads
from asdbench.core.threads import one_thread


def test_every_library_has_one_thread_and_then_as_many_as_before():
    def numbers():
        return [library["num_threads"] for library in threadpool_info()]

    with threadpool_limits(2):
        before = numbers()
        assert 2 in before
        with one_thread(), one_thread():
            assert {*numbers()} == {1}
        assert numbers() == before


def test_libraries_are_looked_for_again_when_a_module_may_have_brought_one(monkeypatch):
    looks = []
    monkeypatch.setattr("threadpoolctl.ThreadpoolController", lambda: looks.append(0) or ThreadpoolController())
    threads._libraries.cache_clear()
    for _ in range(3):
        with one_thread():
            pass
    assert len(looks) == 1
    monkeypatch.setitem(sys.modules, "brings_a_library", ModuleType("brings_a_library"))
    with one_thread():
        pass
    assert len(looks) == 2
    threads._libraries.cache_clear()
