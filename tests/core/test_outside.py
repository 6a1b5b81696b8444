"""Where nobody may go, however it is written, and names that are slow to resolve."""

import socket
import threading

import pytest

from core.outside import AddressRefusedError, check_ip, look_up, resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "100.64.0.1", "0.0.0.0", "::1", "::", "fd00::1", "fe80::1%eth0",
        # IPv6 that stands for 127.0.0.1
        "::ffff:127.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        # of a site, as it was once; of nobody
        "fec0::1", "4000::1",
    ],
)  # fmt: skip
def test_private_addresses_are_refused(address: str) -> None:
    with pytest.raises(AddressRefusedError):
        check_ip(address, allow_private=False)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "64:ff9b::5db8:d70e"])
def test_public_ones_are_not(address: str) -> None:
    check_ip(address, allow_private=False)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "::ffff:0:169.254.169.254", "::169.254.169.254", "fd00:ec2::254"]
)
def test_metadata_is_refused_even_where_private_networks_are_not(address: str) -> None:
    with pytest.raises(AddressRefusedError, match="cloud metadata"):
        check_ip(address, allow_private=True)


def test_a_name_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(60) and [])
    try:
        with pytest.raises(TimeoutError):
            look_up("slow.example.org", 443, 0.05)
        with pytest.raises(OSError, match="in time"):
            resolve("slow.example.org", 443, allow_private=False, seconds=0.05)
    finally:
        answered.set()


def test_a_name_that_nobody_has_is_an_error_of_its_own() -> None:
    with pytest.raises(OSError, match=r"\S"):
        look_up("nobody.invalid", 443)
