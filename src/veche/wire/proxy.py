"""Who is at the other end when proxies stand between: X-Forwarded-For, read from trusted peers only."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network

UNIX: Final = "unix"


@dataclass(frozen=True, slots=True)
class Trusted:
    """The proxies whose word counts.

    Parsed from "10.0.0.0/8, 192.0.2.7, unix": addresses, networks, "unix" for the peers of a Unix socket, "*" for
    everybody.
    """

    networks: tuple[_Network, ...] = ()
    unix: bool = False
    everybody: bool = False

    @classmethod
    def parse(cls, listed: str) -> Self:
        """Raises ValueError for an entry that is neither an address nor a network."""
        entries = [entry.strip() for entry in listed.split(",") if entry.strip()]
        return cls(
            networks=tuple(ip_network(entry) for entry in entries if entry not in ("*", UNIX)),
            unix=UNIX in entries,
            everybody="*" in entries,
        )

    def __contains__(self, host: str) -> bool:
        """Is this a trusted peer? The peer of a Unix socket has the empty host."""
        if self.everybody:
            return True
        if not host:
            return self.unix
        address = _address(host)
        return address is not None and any(address in network for network in self.networks)


def client_address(peer: str, forwarded_for: str | None, trusted: Trusted) -> str:
    """The client's address: from the right, the first hop that is not a trusted proxy.

    A client can write whatever it likes on the left of X-Forwarded-For; only what trusted proxies appended is believed.
    """
    if not forwarded_for or peer not in trusted:
        return peer
    believed = peer
    for hop in reversed(forwarded_for.split(",")):
        host = _host(hop.strip())
        if host is None:
            return believed
        believed = host
        if host not in trusted:
            return host
    return believed


def _host(hop: str) -> str | None:
    """The address of a hop, which some proxies write with a port; None when it is not an address."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    address = _address(hop)
    return None if address is None else str(address)


def _address(host: str) -> _Address | None:
    """An IPv4 address that came through a socket of both families is taken as what it is."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
