"""A gateway opened for commands, with the API in front of it and an account behind; no network."""

import asyncio
import base64
import http.client
import json
import xmlrpc.client
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from gateway_folders import PASSWORD

from bmgate.api.server import ApiServer
from bmgate.app import Gateway
from bmgate.domain.account import Account
from bmgate.domain.mailbox import Flags
from bmgate.domain.ports.database import Store
from bmgate.services.mailboxes.indexed import indexed
from bmgate.services.mailboxes.mailbox_names import resolve

HOST = "127.84.0.1"
STRANGER = "BM-2cUsSYDv4n7b5H7qC2V21jQdLLqmYAZ8LR"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def unb64(text: str) -> str:
    return base64.b64decode(text).decode()


@dataclass
class House:
    """The gateway, an account of it with one address, and where its API listens."""

    gateway: Gateway
    account: Account
    address: str
    server: ApiServer
    port: int

    def proxy(self, name: str = "anna", password: str = PASSWORD) -> xmlrpc.client.ServerProxy:
        """As scripts make it."""
        credentials = f"{name}:{password}".replace(" ", "%20")
        return xmlrpc.client.ServerProxy(f"http://{credentials}@{HOST}:{self.port}/")

    async def call(self, method: str, *params: Any) -> Any:
        """What a script gets, unwrapped as tools do: JSON where it is."""
        answer = await self.raw(method, *params)
        if isinstance(answer, str) and answer[:1] in ("{", "[", "n"):
            return json.loads(answer) if answer[:1] != "n" or answer == "null" else answer
        return answer

    async def raw(self, method: str, *params: Any) -> Any:
        """What comes back as it is."""

        def ask() -> Any:
            with self.proxy() as proxy:
                return getattr(proxy, method)(*params)

        return await asyncio.to_thread(ask)

    async def post(
        self, body: bytes, *, path: str = "/", method: str = "POST", **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and fields of a plain HTTP request; `authorization` is Anna's unless it is given."""
        fields = {"authorization": basic("anna", PASSWORD), **headers}

        def ask() -> tuple[int, bytes, dict[str, str]]:
            connection = http.client.HTTPConnection(HOST, self.port, timeout=10)
            try:
                connection.request(method, path, body, {name: value for name, value in fields.items() if value})
                answer = connection.getresponse()
                return answer.status, answer.read(), {key.lower(): value for key, value in answer.getheaders()}
            finally:
                connection.close()

        return await asyncio.to_thread(ask)

    async def arrived(self, body: str, mailbox: str = "INBOX", kind: str = "msg", subject: str = "Grüße") -> None:
        """A message of the network in a mailbox."""
        raw = (
            f"Delivered-To: {self.address}@bm.internal\r\nFrom: Bob <{STRANGER}@bm.internal>\r\n"
            f"To: {self.address}@bm.internal\r\nSubject: {subject}\r\nX-Bitmessage-Kind: {kind}\r\n"
            f"X-Bitmessage-Encoding: 2\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"
        )
        content, now = indexed(raw.encode()).content(), self.gateway.clock.now()

        def post(store: Store) -> None:
            mine = store.account(self.account.id)
            place = resolve(mine.mailboxes, mailbox).id
            mine.messages.append(place, mine.messages.add_content(content), Flags.NONE, (), now)

        await self.gateway.database.transact(post)


def basic(name: str, password: str) -> str:
    return "Basic " + b64(f"{name}:{password}")


MakeHouse = Callable[..., Awaitable[House]]
