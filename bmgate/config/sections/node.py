"""The Bitmessage node: its peers, the onion services in front of it, and its proof of work."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bmgate.bm.hosts import Reach, is_onion, reach_of
from bmgate.bm.network import NETWORKS, NetworkParameters
from bmgate.config.sections.base import Count, Listed, Positive, Section, setting
from bmgate.config.values import DaySpans, Duration, HostPort, HostPorts, LocalPlace, LoopbackHost, Onion, is_loopback


class NodeSection(Section):
    """The Bitmessage node."""

    network: Literal["main", "test"] = setting(
        "main", "main: the Bitmessage network. test: one of your own, with nearly free work. Fixed for a data folder."
    )
    listen: Literal["auto"] | HostPorts = setting(
        "auto",
        "Where peers reach this node: hosts or host:port, or off. auto: all interfaces on port 8444 (main), "
        "127.0.0.1 on port 18444 (test).",
    )
    peers: HostPorts = setting("", "Nodes to stay connected with: host or host:port. Filters and limits spare them.")
    only_peers: bool = setting("off", "Connect to no other nodes than these.")
    bootstrap: bool = setting(
        "on", "Ask the well-known names and addresses of the main network for first peers, when no others are known."
    )
    outbound: Count = setting("8", "Connections this node makes by itself, each to another network (IPv4 /16).")
    inbound: Count = setting("128", "Connections it accepts.")
    dandelion: bool = setting("on", "Send own objects over a few hops first, so that nobody sees where they began.")
    socks: LocalPlace = setting(
        "off",
        "SOCKS5 proxy (such as Tor's: 127.0.0.1:9050) for all connections to peers. Nothing else is contacted then: no "
        "name is looked up here, and automatic listening is off.",
    )
    sam: LocalPlace = setting(
        "off",
        "SAM bridge of an I2P router (127.0.0.1:7656): connects to peers in I2P and is reached from there. Without "
        "socks, and unless mixed, nothing else is contacted.",
    )
    reach: Literal["auto"] | Listed[Reach] = setting(
        "auto", "Where peers are: clearnet (the Internet), onion, i2p. auto: wherever socks and sam lead."
    )
    mixed: bool = setting(
        "off",
        "on: connect to the Internet directly beside socks (then for onion peers alone), sam and Tor's service. Others "
        "can find out that the address and the hidden name are one node.",
    )
    tls_inbound: bool = setting(
        "off", "Offer TLS to peers that connect to us. Many cannot complete it and would go away."
    )
    publish_pubkeys: Literal["on_create", "on_request", "never"] = setting(
        "on_create", "When the key of a new address goes out, so that others can write to it."
    )
    lan: bool = setting("off", "Accept private and loopback addresses as peers.")
    ack_delay: Duration = setting("60s", "Mean of the random delay before an acknowledgement leaves.")
    acks_per_sender: Positive = setting(
        "20", "Acknowledgements a day for mail of one sender who is no contact. What comes beyond arrives unconfirmed."
    )
    pubkey_delay: Duration = setting("10m", "Mean of the random delay before a pubkey leaves.")
    pubkey_work: Duration = setting(
        "1h",
        "Work of this machine, in a day, on pubkeys that are asked for or outdated, of all addresses together. Whoever "
        "asks beyond it hears nothing; half of it is kept for addresses whose last pubkey has left the network.",
    )
    first_getdata: Duration = setting(
        "20s", "Wait after connecting before objects are asked for: peers ignore earlier requests."
    )

    @property
    def parameters(self) -> NetworkParameters:
        """The network's own figures."""
        return NETWORKS[self.network]

    @property
    def listeners(self) -> tuple[tuple[str, int], ...]:
        """Host and port of every listener; none when it is off."""
        auto = () if self.is_hidden else {"main": ("0.0.0.0", "::"), "test": ("127.0.0.1",)}[self.network]
        places = tuple(HostPort(host, None) for host in auto) if self.listen == "auto" else self.listen
        return self._with_ports(places)

    @property
    def fixed_peers(self) -> tuple[tuple[str, int], ...]:
        """Host and port of `peers`."""
        return self._with_ports(self.peers)

    @property
    def is_hidden(self) -> bool:
        """Whether nothing but the proxies may be contacted, and only this machine connects to us (V18)."""
        return not self.mixed and bool(self.socks or self.sam)

    @property
    def reached(self) -> frozenset[Reach]:
        """The networks whose peers are dialled."""
        leads = frozenset(
            reach
            for reach, leads_there in (
                (Reach.CLEARNET, self.mixed or self.socks or not self.sam),
                (Reach.ONION, self.socks),
                (Reach.I2P, self.sam),
            )
            if leads_there
        )
        return leads if self.reach == "auto" else leads & frozenset(self.reach)

    @model_validator(mode="after")
    def _reaches_what_it_names(self) -> "NodeSection":
        needs = {Reach.CLEARNET: "socks, or mixed = on", Reach.ONION: "socks", Reach.I2P: "sam"}
        if not self.reach:
            raise ValueError("reach: hoped for clearnet, onion, i2p or several of them")
        for wanted in () if self.reach == "auto" else self.reach:
            if wanted not in self.reached:
                raise ValueError(f"reach: {wanted} can be reached with {needs[wanted]} only")
        for peer in self.peers:
            network = reach_of(peer.host)
            if network not in self.reached:
                raise ValueError(
                    f"peers: {peer.host} is in {network}, which needs {needs[network]}, and to be in reach"
                )
            if network is Reach.ONION and not is_onion(peer.host):
                raise ValueError(f"peers: {peer.host} is misspelt: no onion service (version 3) has this name")
        return self

    @model_validator(mode="after")
    def _shows_no_address_when_hidden(self) -> "NodeSection":
        outside = [] if self.listen == "auto" else [place.host for place in self.listen if not is_loopback(place.host)]
        if self.is_hidden and outside:
            raise ValueError(
                f"listen: {outside[0]} shows where this node is, beside socks or sam: listen on 127.0.0.1, or set "
                "mixed = on"
            )
        return self

    @model_validator(mode="after")
    def _has_somebody_to_talk_to(self) -> "NodeSection":
        if self.only_peers and not self.peers:
            raise ValueError("only_peers = on needs nodes in peers")
        return self

    def _with_ports(self, places: Iterable[HostPort]) -> tuple[tuple[str, int], ...]:
        return tuple((place.host, self.parameters.port if place.port is None else place.port) for place in places)


class TorSection(Section):
    """Onion services of this gateway, one for its node and another for mail programs: nobody can tell they are one."""

    control: LocalPlace = setting("off", "Tor's control port (such as 127.0.0.1:9051), for services made through it.")
    password: str = setting("", "Its password. Empty: by the cookie file, which this user must be able to read.")
    node_service: Literal["off", "control", "torrc"] = setting(
        "off",
        "Be reached by peers as an onion service. control: made while the gateway runs, its key kept in the data "
        "folder. torrc: written there by you; bmgate tor torrc says what.",
    )
    mail_service: Literal["off", "control", "torrc"] = setting(
        "off", "The same for mail programs: IMAP, POP3 and SMTP."
    )
    node_name: Onion = setting("", "Name of the node's service, with torrc: Tor wrote it into the file hostname.")
    host: LoopbackHost = setting(
        "127.0.0.1", "Loopback address on which this gateway takes over from Tor; with torrc on fixed ports."
    )

    @model_validator(mode="after")
    def _can_be_made(self) -> "TorSection":
        if "control" in (self.node_service, self.mail_service) and self.control is None:
            raise ValueError("a service by control needs control = host:port")
        return self


class PowSection(Section):
    """Proof of work."""

    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = setting("auto", "auto: one for each processor.")
    nice: Annotated[int, Field(ge=0, le=19)] = setting("10", "How far the work steps back for other programs.")
    schedule: DaySpans = setting(
        "",
        "Hours of the day in which large work is done, such as 22:00-06:00, by the clock of this machine. Outside of "
        "them only work runs that is expected to take less than a minute; the rest waits. Empty: always.",
    )
    on_battery: Literal["continue", "pause"] = setting(
        "continue", "pause: while this machine runs on its battery, large work waits as it does outside of schedule."
    )
    opencl: str = setting(
        "off",
        "Work on an OpenCL device instead (install bmgate[opencl]). auto: a graphics processor. Anything else: the "
        "first device whose name holds it, processors included. Where none works, the processors do, with a warning.",
    )
    max_work: Duration = setting("2h", "Refuse mail whose work would take longer than this for a recipient.")
    max_difficulty: Positive = setting(
        "10", "Refuse recipients who demand more than so many times the least work of the network."
    )
