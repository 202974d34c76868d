"""Which hosts are this machine itself: client and server decide by the same rule."""

from ipaddress import IPv6Address, ip_address


def is_loopback_host(host: str) -> bool:
    """Return whether a host of a URL, a header or a setting is a loopback address or name."""
    bare = host.strip("[]").rstrip(".").lower()
    try:
        address = ip_address(bare)
    except ValueError:
        return bare == "localhost" or bare.endswith(".localhost")
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
