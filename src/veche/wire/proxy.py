"""The client's address behind reverse proxies, from the X-Forwarded-For header of trusted peers, and its network."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final, Self

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network

UNIX: Final = "unix"

logger = logging.getLogger("veche.wire")


@dataclass(frozen=True, slots=True)
class Trusted:
    """The proxies whose X-Forwarded-For header is trusted.

    `parse` takes a comma-separated list such as "10.0.0.0/8, 192.0.2.7, unix": addresses, networks, "unix" for peers
    on a Unix socket, "*" for all peers.
    """

    networks: tuple[_Network, ...] = ()
    unix: bool = False
    everybody: bool = False
    warned: set[str] = field(default_factory=set, compare=False, repr=False)
    """The first peer that was not trusted and sent X-Forwarded-For. One warning is enough."""

    @classmethod
    def parse(cls, listed: str) -> Self:
        """Parse a list of proxies. Raises ValueError for an entry that is neither an address nor a network."""
        entries = [entry.strip() for entry in listed.split(",") if entry.strip()]
        return cls(
            networks=tuple(ip_network(entry) for entry in entries if entry not in ("*", UNIX)),
            unix=UNIX in entries,
            everybody="*" in entries,
        )

    def __contains__(self, host: str) -> bool:
        """Return whether a peer is trusted. A peer on a Unix socket has the host ""."""
        if self.everybody:
            return True
        if not host:
            return self.unix
        address = _address(host)
        return address is not None and any(address in network for network in self.networks)


def client_address(peer: str, forwarded_for: str | None, trusted: Trusted) -> str:
    """Return the client's address: the rightmost hop that is not a trusted proxy.

    A client can send any X-Forwarded-For header itself, and each proxy appends to it. So only the entries on the right,
    which trusted proxies added, are reliable.
    """
    if not forwarded_for:
        return peer
    if peer not in trusted:
        _warn(peer or UNIX, trusted)
        return peer
    client = peer
    for hop in reversed(forwarded_for.split(",")):
        host = _hop_address(hop.strip())
        if host is None:
            return client
        client = host
        if host not in trusted:
            return host
    return client


def peer_of(scope: Mapping[str, Any]) -> str:
    """Return the peer of an ASGI request: its address, or "" on a Unix socket."""
    return scope["client"][0] if scope.get("client") else ""


def client_of(scope: Mapping[str, Any], trusted: Trusted) -> str:
    """Return the address of the client of an ASGI request (`client_address`). Header lines are one list together."""
    forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return client_address(peer_of(scope), ", ".join(forwarded) or None, trusted)


def _warn(peer: str, trusted: Trusted) -> None:
    if not trusted.warned:
        trusted.warned.add(peer)
        logger.warning(
            "%s sent X-Forwarded-For, which is ignored: if it is your proxy, set VECHE_TRUSTED_PROXIES=%s, "
            "or everybody behind it counts as one address",
            *(peer, peer),
        )


def network(address: str) -> str:
    """Return the key under which an address is counted: an IPv4 address, or an IPv6 /64."""
    parsed = _address(address)
    if parsed is None:
        return address
    if isinstance(parsed, IPv4Address):
        return str(parsed)
    return str(IPv6Network((int(parsed) >> 64 << 64, 64)))


def _hop_address(hop: str) -> str | None:
    """Parse one hop, with or without a port. Returns None if it is not an address."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    address = _address(hop)
    return None if address is None else str(address)


def _address(host: str) -> _Address | None:
    """Parse an address. Returns None if it is invalid.

    A dual-stack socket reports the address of an IPv4 peer as IPv4-mapped IPv6. Return such an address as IPv4.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
