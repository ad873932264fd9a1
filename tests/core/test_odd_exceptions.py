"""What is said of exceptions that other people's code raises, whatever these are."""

import json

import pytest

from asdbench.core.faults import fault_of


class MuteError(Exception):
    def __str__(self):
        raise RuntimeError("it has no text")


class OtherError(BaseException):
    """None of Exception's."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MuteError(), "MuteError"),
        (OtherError("base"), "OtherError: base"),
        (ValueError("caf\udce9.wav"), "ValueError: caf\\udce9.wav"),
    ],
)
def test_the_reason_can_be_told_and_stored(error, reason):
    fault = fault_of(error)
    assert fault.reason == reason
    json.dumps([fault.reason, fault.detail], ensure_ascii=False).encode()
