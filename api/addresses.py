"""Where requests come from."""

from ipaddress import IPv6Address, IPv6Network, ip_address

from starlette.requests import Request

# What one customer of a provider is given, at least.
IPV6_PREFIX = 64


def address_of(request: Request) -> str:
    """The client's address, as a declared proxy tells it, or else that of the connection."""
    return request.client.host if request.client else "unknown"


def network_of(address: str) -> str:
    """What limits count: an IPv4 address, or the network that an IPv6 client can choose its addresses from."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed.packed, IPV6_PREFIX), strict=False))
