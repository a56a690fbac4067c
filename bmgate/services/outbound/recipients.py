"""Whom a recipient means, and whether mail to him can be taken at all: what is decided at RCPT (1.2, 1.3, 3.6)."""

from dataclasses import dataclass, replace

from bmgate.bm.addresses import Address
from bmgate.bm.network import NetworkParameters
from bmgate.domain.account import AccountId
from bmgate.domain.ports.database import Store
from bmgate.errors import NotAllowed, RecipientMissing, TooDifficult
from bmgate.mail.addresses import RecipientKind, Resolved, resolve_recipient
from bmgate.services.directory import AccountDirectory
from bmgate.services.objects.keys import demand_of, find_pubkey
from bmgate.services.outbound.senders import SenderRules


@dataclass(frozen=True, slots=True)
class RecipientRules:
    """Decides about recipients. `max_difficulty` in multiples of the network's least work.

    `takes_commands` says whether somebody carries out mail to the gateway itself.
    """

    rules: SenderRules
    network: NetworkParameters
    max_difficulty: float
    takes_commands: bool = False

    def resolve(self, store: Store, account: AccountId, addr_spec: str) -> Resolved:
        """Raises BadAddress, RecipientMissing, Ambiguous, NotAllowed, and TooDifficult where his demand is known."""
        resolved = resolve_recipient(addr_spec, self.rules.domains, AccountDirectory(store, account))
        if resolved.kind is RecipientKind.POSTMASTER:
            operator = self.rules.operators(store)
            if operator is None:
                raise RecipientMissing(f"<{addr_spec}>: nobody takes this mail here")
            resolved = replace(resolved, kind=RecipientKind.ADDRESS, address=operator)
        if resolved.kind is RecipientKind.BROADCAST or (self.takes_commands and resolved.kind is RecipientKind.COMMAND):
            return resolved
        if resolved.kind is not RecipientKind.ADDRESS or resolved.address is None:
            raise NotAllowed(f"{addr_spec} takes no mail yet")
        chan = store.account(account).chans.of_ripe(resolved.address.ripe)
        if chan is not None:  # by whatever version of its address: it is a post, and nobody's demand counts
            return replace(resolved, address=chan.address, is_chan=True)
        self._check_demand(store, resolved.address)
        return resolved

    def _check_demand(self, store: Store, address: Address) -> None:
        pubkey = find_pubkey(store, address)
        if pubkey is None:
            return
        times = demand_of(pubkey, self.network).times_minimum(self.network)
        if times > self.max_difficulty:
            raise TooDifficult(
                f"{address} demands {times:.3g} times the usual work; the limit here is {self.max_difficulty:.3g} times"
            )
