"""aiosmtpd with an empty handler, to compare with: prints its port, ends when its standard input does."""

import asyncio
import sys

from aiosmtpd.smtp import SMTP, Envelope, Session


class EmptyHandler:
    """Says 250 and forgets."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        return "250 OK"


async def main() -> None:
    handler, loop = EmptyHandler(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, enable_SMTPUTF8=True, loop=loop), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
