"""Mail commands on what is one's own: addresses, aliases, options."""

from collections.abc import Mapping
from dataclasses import dataclass

from bmgate.bm.addresses import Address
from bmgate.bm.keys import Entropy
from bmgate.domain.account import AccountId
from bmgate.domain.identity import Identity
from bmgate.domain.ports.world import Clock
from bmgate.errors import NotAllowed
from bmgate.mail.addresses import bare_name, mail_address
from bmgate.mail.command_line import CommandLine
from bmgate.services.commands.table import Handler, told
from bmgate.services.identities import AddressRequest, Identities
from bmgate.services.policies import AccountOptions

TOKEN_SECONDS = 3_600
DEFAULT = "default"  # as the value of an option: what holds for the whole gateway counts again
MAX_TOKENS = 1_000  # of all accounts; the oldest go first


@dataclass(frozen=True, slots=True)
class _Token:
    """What lets an address be deleted, until a time."""

    word: str
    until: int


class OwnCommands:
    """Addresses, aliases and options of an account. Tokens are forgotten by a restart: one asks again."""

    def __init__(
        self, identities: Identities, options: AccountOptions, clock: Clock, entropy: Entropy, domain: str
    ) -> None:
        self._identities, self._options = identities, options
        self._clock, self._entropy, self._domain = clock, entropy, domain
        self._tokens: dict[tuple[AccountId, Address], _Token] = {}

    def table(self) -> Mapping[str, Handler]:
        """Each under the name of its command."""
        return {
            "createAddr": self._create,
            "enable": self._enable,
            "disable": self._disable,
            "alias": self._alias,
            "unalias": self._unalias,
            "delete": self._delete,
            "set": self._set,
            "show": self._show,
        }

    async def addresses(self, account: AccountId) -> str:
        """All addresses of an account, for `list`."""
        identities = await self._identities.all(account)
        return told([_line(identity, self._domain) for identity in identities], "You have no address.")

    async def aliases(self, account: AccountId) -> str:
        """All names of an account, for `list`."""
        names = await self._identities.aliases(account)
        return told([f"{name}@{self._domain}  {address}" for name, address in names.items()], "You have no alias.")

    async def _create(self, account: AccountId, line: CommandLine) -> str:
        words = line.words
        passphrase = ""
        if line.usage.reads_body:
            words, passphrase = words[1:], line.body_line
            if not passphrase:
                raise NotAllowed("the passphrase is missing: it is the first line of the body")
        identity = await self._identities.new(account, AddressRequest(label=" ".join(words), passphrase=passphrase))
        made = "from your passphrase" if passphrase else "at random"
        return f"Your new address was made {made}:\n\n{_line(identity, self._domain)}"

    async def _enable(self, account: AccountId, line: CommandLine) -> str:
        named = await self._identities.enable(account, self._name(line), True)
        return f"{named.identity.address} receives and sends again."

    async def _disable(self, account: AccountId, line: CommandLine) -> str:
        await self._check_not_last(account, (await self._identities.show(account, self._name(line)))[0])
        named = await self._identities.enable(account, self._name(line), False)
        return f"{named.identity.address} neither receives nor sends, until you enable it again."

    async def _alias(self, account: AccountId, line: CommandLine) -> str:
        name, text = line.words
        named = await self._identities.add_alias(account, name, self._bare(text), if_missing=True)
        return f"{name.lower()}@{self._domain} means {named.identity.address} now."

    async def _unalias(self, account: AccountId, line: CommandLine) -> str:
        name = self._name(line)
        await self._identities.remove_alias(account, name)
        return f"{name.lower()}@{self._domain} means nothing any more; nobody else gets the name for a year."

    async def _delete(self, account: AccountId, line: CommandLine) -> str:
        identity, _ = await self._identities.show(account, self._name(line))
        await self._check_not_last(account, identity)
        address, now = identity.address, self._clock.now()
        if len(line.words) == 1:
            return self._asked(account, address, now)
        token = self._tokens.get((account, address))
        if token is None or token.word != line.words[1].upper() or token.until < now:
            raise NotAllowed(f'this is not the token, or it is too old; mail "delete {address}" for another')
        del self._tokens[account, address]
        await self._identities.delete(account, str(address))
        return (
            f"{address} is deleted: it receives and sends no more, and its names are given up. Your mail stays.\n"
            "For a while whoever runs this gateway can bring it back."
        )

    async def _check_not_last(self, account: AccountId, doomed: Identity) -> None:
        """Who has no address that sends cannot give commands by mail any more, not even to undo this one."""
        if not any(each.enabled for each in await self._identities.all(account) if each.id != doomed.id):
            raise NotAllowed(f"{doomed.address} is your only address that sends; make another one first: createAddr")

    def _asked(self, account: AccountId, address: Address, now: int) -> str:
        if len(self._tokens) >= MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        word = self._entropy(4).hex().upper()
        self._tokens[account, address] = _Token(word, now + TOKEN_SECONDS)
        return f"To delete {address}, mail this within an hour:\n\n  delete {address} {word}"

    async def _set(self, account: AccountId, line: CommandLine) -> str:
        name, *rest = line.words
        words = " ".join(rest)
        is_reset = words.lower() == DEFAULT
        shown = await self._options.set(account, name, "" if is_reset else words)
        chosen = name.strip().lower().replace("-", "_")
        value = next(each.words for each in shown if each.option.name == chosen)
        return f"{chosen} is {value} now{', as for all of this gateway' if is_reset else ''}."

    async def _show(self, account: AccountId, _line: CommandLine) -> str:
        shown = await self._options.show(account)
        width = max(len(each.option.name) for each in shown)
        return "\n".join(
            f"{each.option.name:<{width}}  {each.words}{'  (set here)' if each.is_set else ''}" for each in shown
        )

    def _name(self, line: CommandLine) -> str:
        return self._bare(line.words[0])

    def _bare(self, text: str) -> str:
        return bare_name(text, self._domain)


def _line(identity: Identity, domain: str) -> str:
    marks = [identity.label] if identity.label else []
    marks += ["default"] if identity.is_default else []
    marks += [] if identity.enabled else ["disabled"]
    return f"{mail_address(identity.address, domain)}{'  ' if marks else ''}{', '.join(marks)}"
