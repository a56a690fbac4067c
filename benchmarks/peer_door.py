"""Our SMTP door before services that store nothing: prints its port, ends when its standard input does."""

import asyncio
import sys
from collections.abc import Collection

from bmgate.bm.addresses import parse_address
from bmgate.domain.account import AccountId
from bmgate.domain.mailbox import Flags
from bmgate.mail.addresses import RecipientKind, Resolved
from bmgate.mail.outgoing import convert
from bmgate.services.outbound.submission import Envelope, Receipt
from bmgate.smtp.limits import SmtpLimits
from bmgate.smtp.ports import SmtpServices
from bmgate.smtp.server import SmtpServer
from bmgate.smtp.settings import Plaintext

ALICE = AccountId(1)
LARGE = 16_384  # octets; smaller mails are taken without a look
PLENTY = 1_000_000


class EmptyServices:
    """Says yes and forgets."""

    def __init__(self) -> None:
        self._anybody = Resolved(RecipientKind.ADDRESS, parse_address("BM-2cWvweT8EgWxuFnZNEHmcGcvHJTxBS1o8Z"))

    async def login(self, name: str, password: str, source: str) -> AccountId:
        return ALICE

    async def of_sender(self, addr_spec: str) -> AccountId:
        return ALICE

    async def check_sender(self, account: AccountId, addr_spec: str) -> None:
        return

    async def resolve(self, account: AccountId, addr_spec: str) -> Resolved:
        return self._anybody

    async def submit(self, envelope: Envelope, raw: bytes) -> Receipt:
        if len(raw) > LARGE:
            await asyncio.to_thread(convert, raw)
        return Receipt("7KQ2AB", 20.0, (), repeated=False)

    async def append(
        self,
        account: AccountId,
        name: str,
        raw: bytes,
        flags: Flags,
        keywords: Collection[str],
        internaldate: int | None,
    ) -> None:
        return


async def main() -> None:
    services = EmptyServices()
    limits = SmtpLimits(connections_per_source=PLENTY, connections_per_user=PLENTY)
    server = SmtpServer(SmtpServices(services, services, services), limits, "bm.internal", "localhost", None)
    print(await server.start("127.0.0.1", 0, implicit_tls=False, plaintext=Plaintext.ANYBODY), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.close()


if __name__ == "__main__":
    asyncio.run(main())
