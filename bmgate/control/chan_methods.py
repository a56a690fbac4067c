"""The methods on chans and subscriptions. Names and labels are the account's own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bmgate.bm.addresses import Address, looks_like_address, parse_address
from bmgate.control.batch import BATCH_PARAMS, made, read_entries, tell_entries, telling
from bmgate.control.protocol import Tell
from bmgate.control.table import ACCOUNT, IF_MISSING, IF_PRESENT, FindAccount, Method, Param, ended
from bmgate.control.values import options_value
from bmgate.domain.chan import CHANS
from bmgate.domain.mailbox import DELIMITER
from bmgate.domain.subscription import SUBSCRIPTIONS
from bmgate.errors import BadAddress
from bmgate.mail.addresses import bare_name, mail_address
from bmgate.mail.uris import split_uri, write_uri
from bmgate.services.batch import Report
from bmgate.services.chans.chans import Chan, Chans, Joining
from bmgate.services.chans.options import ChanOptions
from bmgate.services.chans.subscriptions import Subscribing, Subscription, Subscriptions
from bmgate.services.mailboxes.mailbox_names import fitting
from bmgate.services.policies import Shown

_LABEL = Param("label", str, "")
_JOIN = (Param("passphrase", str), Param("address", str, ""), _LABEL)
_ADD = (Param("address", str), _LABEL)
_CHAN, _SUBSCRIPTION = Param("chan", str), Param("subscription", str)


@dataclass(frozen=True, slots=True)
class ChanMethods:
    """`chan.*`. `domain` stands behind the @ of the mail addresses told."""

    chans: Chans
    options: ChanOptions
    domain: str

    def table(self, find: FindAccount) -> Mapping[str, Method]:
        """Each under its name."""

        async def join(account: str, passphrase: str, address: str, label: str, if_missing: bool) -> Any:
            owner, (wanted, proposed) = await find(account), _chan_address(address, self.domain)
            joining = Joining(owner.id, passphrase, wanted, label or proposed)
            chan, is_new = await self.chans.put(joining, if_missing=if_missing)
            return {**self._value(chan), **made(is_new, if_missing)}

        async def join_all(tell: Tell, account: str, entries: list[Any], if_missing: bool) -> Any:
            wanted, report = list[tuple[int, Joining]](), Report()
            for line, entry in read_entries("a chan", (Param("account", str, account), *_JOIN), entries):
                with report.line(line):
                    address, proposed = _chan_address(entry["address"], self.domain)
                    owner = (await find(entry["account"])).id
                    wanted.append((line, Joining(owner, entry["passphrase"], address, entry["label"] or proposed)))
            report.check()
            tells = telling(tell, applied=False), telling(tell)
            joined = await self.chans.join_all(wanted, *tells, if_missing=if_missing)
            return await tell_entries(tell, ((self._value(chan), is_new) for chan, is_new in joined))

        async def create(account: str, label: str, if_missing: bool) -> Any:
            """The passphrase is told of a new one alone: nobody keeps it."""
            owner = await find(account)
            there = [chan for chan in await self.chans.all(owner.id) if if_missing and chan.label == label]
            if there:
                return {**self._value(there[0]), **made(is_new=False)}
            chan, passphrase = await self.chans.create(owner.id, label)
            return {**self._value(chan), "passphrase": passphrase, **made(True, if_missing)}

        async def leave(account: str, chan: str, if_present: bool) -> Any:
            owner = await find(account)

            async def end() -> dict[str, Any]:
                return self._value(await self.chans.leave(owner.id, chan))

            return await ended(end(), if_present)

        async def label(account: str, chan: str, label: str) -> Any:
            return self._value(await self.chans.label((await find(account)).id, chan, label))

        async def every(account: str) -> Any:
            return [self._value(chan) for chan in await self.chans.all((await find(account)).id)]

        async def info(account: str, chan: str) -> Any:
            owner = await find(account)
            return self._with_options(*await self.options.show(owner.id, chan))

        async def change(account: str, chan: str, option: str, value: str) -> Any:
            owner = await find(account)
            return self._with_options(*await self.options.set(owner.id, chan, option, value))

        return {
            "chan.join": Method(join, (ACCOUNT, *_JOIN, IF_MISSING)),
            "chan.join_all": Method(join_all, (ACCOUNT, *BATCH_PARAMS), tells=True),
            "chan.create": Method(create, (ACCOUNT, _LABEL, IF_MISSING)),
            "chan.leave": Method(leave, (ACCOUNT, _CHAN, IF_PRESENT)),
            "chan.label": Method(label, (ACCOUNT, _CHAN, Param("label", str))),
            "chan.list": Method(every, (ACCOUNT,)),
            "chan.info": Method(info, (ACCOUNT, _CHAN)),
            "chan.set": Method(change, (ACCOUNT, _CHAN, Param("option", str), Param("value", str, ""))),
        }

    def _with_options(self, chan: Chan, options: Iterable[Shown]) -> dict[str, Any]:
        return {**self._value(chan), "options": options_value(options)}

    def _value(self, chan: Chan) -> dict[str, Any]:
        membership = chan.membership
        return {
            **_about(membership.address, chan.label, self.domain),
            "mailbox": CHANS + DELIMITER + chan.label,
            "joined_at": membership.joined_at,
            "searching": membership.scan_from is not None,
        }


@dataclass(frozen=True, slots=True)
class SubscriptionMethods:
    """`subscription.*`. `domain` stands behind the @ of the mail addresses told."""

    subscriptions: Subscriptions
    domain: str

    def table(self, find: FindAccount) -> Mapping[str, Method]:
        """Each under its name."""

        async def add(account: str, address: str, label: str, if_missing: bool) -> Any:
            owner, (wanted, proposed) = await find(account), _address(address, self.domain)
            new = Subscribing(owner.id, wanted, label or proposed)
            subscription, is_new = await self.subscriptions.put(new, if_missing=if_missing)
            return {**self._value(subscription), **made(is_new, if_missing)}

        async def add_all(tell: Tell, account: str, entries: list[Any], if_missing: bool) -> Any:
            wanted, report = list[tuple[int, Subscribing]](), Report()
            for line, entry in read_entries("a subscription", (Param("account", str, account), *_ADD), entries):
                with report.line(line):
                    address, proposed = _address(entry["address"], self.domain)
                    owner = (await find(entry["account"])).id
                    wanted.append((line, Subscribing(owner, address, entry["label"] or proposed)))
            report.check()
            subscribed = await self.subscriptions.subscribe_all(wanted, telling(tell), if_missing=if_missing)
            return await tell_entries(tell, ((self._value(each), is_new) for each, is_new in subscribed))

        async def remove(account: str, subscription: str, if_present: bool) -> Any:
            owner = await find(account)

            async def end() -> dict[str, Any]:
                return self._value(await self.subscriptions.unsubscribe(owner.id, subscription))

            return await ended(end(), if_present)

        async def label(account: str, subscription: str, label: str) -> Any:
            return self._value(await self.subscriptions.label((await find(account)).id, subscription, label))

        async def every(account: str) -> Any:
            return [self._value(each) for each in await self.subscriptions.all((await find(account)).id)]

        async def enable(account: str, subscription: str) -> Any:
            return await set_enabled(account, subscription, True)

        async def disable(account: str, subscription: str) -> Any:
            return await set_enabled(account, subscription, False)

        async def set_enabled(account: str, subscription: str, enabled: bool) -> Any:
            owner = await find(account)
            return self._value(await self.subscriptions.set_enabled(owner.id, subscription, enabled))

        return {
            "subscription.add": Method(add, (ACCOUNT, *_ADD, IF_MISSING)),
            "subscription.add_all": Method(add_all, (ACCOUNT, *BATCH_PARAMS), tells=True),
            "subscription.remove": Method(remove, (ACCOUNT, _SUBSCRIPTION, IF_PRESENT)),
            "subscription.label": Method(label, (ACCOUNT, _SUBSCRIPTION, Param("label", str))),
            "subscription.list": Method(every, (ACCOUNT,)),
            "subscription.enable": Method(enable, (ACCOUNT, _SUBSCRIPTION)),
            "subscription.disable": Method(disable, (ACCOUNT, _SUBSCRIPTION)),
        }

    def _value(self, subscription: Subscription) -> dict[str, Any]:
        stored = subscription.stored
        return {
            **_about(stored.address, subscription.label, self.domain),
            "mailbox": SUBSCRIPTIONS + DELIMITER + subscription.label,
            "enabled": stored.enabled,
            "created_at": stored.created_at,
            "searching": stored.scan_from is not None and stored.enabled,
        }


def _about(address: Address, label: str, domain: str) -> dict[str, Any]:
    return {
        "address": str(address),
        "label": label,
        "mail": mail_address(address, domain),
        "uri": write_uri(address, label),
    }


def _address(text: str, domain: str) -> tuple[Address, str]:
    """An address and the label that it has in a `bitmessage:` link; raises BadAddress."""
    written, proposed = split_uri(text)
    bare = bare_name(written, domain)
    if not looks_like_address(bare):
        raise BadAddress("invalidcharacters", f"{text} is no address; those begin with BM-")
    return parse_address(bare), fitting(proposed)


def _chan_address(text: str, domain: str) -> tuple[Address | None, str]:
    """The same; none where nothing is given."""
    return _address(text, domain) if text else (None, "")
