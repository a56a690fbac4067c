"""One unit of work, as `domain.ports.database.Store` describes it: repositories over one connection."""

from dataclasses import dataclass

from sqlalchemy import Connection

from bmgate.domain.account import Account, AccountId, AccountSecrets
from bmgate.storage.repositories.account_identities import AccountIdentityRepository
from bmgate.storage.repositories.account_outbox import AccountOutboxRepository
from bmgate.storage.repositories.accounts import AccountRepository
from bmgate.storage.repositories.acks import AckRepository
from bmgate.storage.repositories.answers import AccountAnswerRepository
from bmgate.storage.repositories.chans import AccountChanRepository, ChanRepository
from bmgate.storage.repositories.contacts import AccountContactRepository, AccountDuplicateRepository
from bmgate.storage.repositories.held_acks import AccountHeldAckRepository
from bmgate.storage.repositories.identities import IdentityRepository
from bmgate.storage.repositories.inventory import InventoryRepository
from bmgate.storage.repositories.mailboxes import AccountMailboxRepository
from bmgate.storage.repositories.messages import AccountMessageRepository
from bmgate.storage.repositories.outbox import OutboxRepository
from bmgate.storage.repositories.peers import PeerRepository
from bmgate.storage.repositories.pubkeys import PubkeyRepository
from bmgate.storage.repositories.scope import AccountScope, GatewayScope
from bmgate.storage.repositories.sender_rates import AccountSenderRepository
from bmgate.storage.repositories.settings import AccountSettingRepository
from bmgate.storage.repositories.subscriptions import AccountSubscriptionRepository, SubscriptionRepository
from bmgate.storage.repositories.threads import AccountThreadRepository
from bmgate.storage.vault import Vault


@dataclass(frozen=True, slots=True)
class SealedAccountStore:
    """All that is one account's. Whoever holds it reaches no row of another."""

    scope: AccountScope

    @property
    def account(self) -> Account:
        return self.scope.account

    @property
    def secrets(self) -> AccountSecrets:
        return self.scope.secrets

    @property
    def identities(self) -> AccountIdentityRepository:
        return AccountIdentityRepository(self.scope)

    @property
    def mailboxes(self) -> AccountMailboxRepository:
        return AccountMailboxRepository(self.scope)

    @property
    def messages(self) -> AccountMessageRepository:
        return AccountMessageRepository(self.scope)

    @property
    def outbox(self) -> AccountOutboxRepository:
        return AccountOutboxRepository(self.scope)

    @property
    def contacts(self) -> AccountContactRepository:
        return AccountContactRepository(self.scope)

    @property
    def duplicates(self) -> AccountDuplicateRepository:
        return AccountDuplicateRepository(self.scope)

    @property
    def held_acks(self) -> AccountHeldAckRepository:
        return AccountHeldAckRepository(self.scope)

    @property
    def threads(self) -> AccountThreadRepository:
        return AccountThreadRepository(self.scope)

    @property
    def answers(self) -> AccountAnswerRepository:
        return AccountAnswerRepository(self.scope)

    @property
    def senders(self) -> AccountSenderRepository:
        return AccountSenderRepository(self.scope)

    @property
    def settings(self) -> AccountSettingRepository:
        return AccountSettingRepository(self.scope)

    @property
    def chans(self) -> AccountChanRepository:
        return AccountChanRepository(self.scope)

    @property
    def subscriptions(self) -> AccountSubscriptionRepository:
        return AccountSubscriptionRepository(self.scope)


@dataclass(frozen=True, slots=True)
class SealedStore:
    """The gateway's own views, and the way into an account."""

    scope: GatewayScope

    @property
    def accounts(self) -> AccountRepository:
        return AccountRepository(self.scope)

    @property
    def identities(self) -> IdentityRepository:
        return IdentityRepository(self.scope)

    @property
    def outbox(self) -> OutboxRepository:
        return OutboxRepository(self.scope)

    @property
    def inventory(self) -> InventoryRepository:
        return InventoryRepository(self.scope)

    @property
    def pubkeys(self) -> PubkeyRepository:
        return PubkeyRepository(self.scope)

    @property
    def acks(self) -> AckRepository:
        return AckRepository(self.scope)

    @property
    def peers(self) -> PeerRepository:
        return PeerRepository(self.scope)

    @property
    def chans(self) -> ChanRepository:
        return ChanRepository(self.scope)

    @property
    def subscriptions(self) -> SubscriptionRepository:
        return SubscriptionRepository(self.scope)

    def account(self, account: AccountId) -> SealedAccountStore:
        """Raises Missing."""
        return SealedAccountStore(self.accounts.enter(account))


def open_store(connection: Connection, vault: Vault) -> SealedStore:
    """The store of one transaction on `connection`."""
    return SealedStore(GatewayScope(connection, vault))
