"""The methods that bring things in and take them out. Files are read and written by the gateway, under its user."""

import errno
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bmgate.control.protocol import Tell
from bmgate.control.table import ACCOUNT, FindAccount, Method, Param
from bmgate.domain.account import Account
from bmgate.errors import NotAllowed, Refused, StorageFull
from bmgate.services.moving.exporting import Exports
from bmgate.services.moving.importing import Imports
from bmgate.services.moving.report import Report

_PATH, _PASSWORD, _FORCE = Param("path", str), Param("password", str, ""), Param("force", bool, False)
_DRY_RUN, _MAILBOX = Param("dry_run", bool, False), Param("mailbox", str, "")
_IN = (ACCOUNT, _PATH, _DRY_RUN)
_OUT = (ACCOUNT, _PATH, _PASSWORD)


@dataclass(frozen=True, slots=True)
class MovingMethods:
    """`import.*` and `export.*`; all tell how far they are."""

    imports: Imports
    exports: Exports

    def table(self, find: FindAccount) -> Mapping[str, Method]:
        """Each under its name."""

        async def pybitmessage(tell: Tell, account: str, path: str, dry_run: bool) -> Any:
            owner = await find(account)
            report = await self.imports.pybitmessage(owner.id, _path(path), tell, dry_run=dry_run)
            return _imported(owner, report, dry_run)

        async def notbit(tell: Tell, account: str, path: str, dry_run: bool) -> Any:
            owner = await find(account)
            return _imported(owner, await self.imports.notbit(owner.id, _path(path), tell, dry_run=dry_run), dry_run)

        async def mbox(tell: Tell, account: str, path: str, dry_run: bool, mailbox: str) -> Any:
            owner = await find(account)
            report = await self.imports.mbox(owner.id, _path(path), mailbox, tell, dry_run=dry_run)
            return _imported(owner, report, dry_run)

        async def maildir(tell: Tell, account: str, path: str, dry_run: bool, mailbox: str) -> Any:
            owner = await find(account)
            report = await self.imports.maildir(owner.id, _path(path), mailbox, tell, dry_run=dry_run)
            return _imported(owner, report, dry_run)

        async def archive(tell: Tell, account: str, path: str, dry_run: bool, passphrase: str) -> Any:
            owner = await find(account)
            report = await self.imports.archive(owner.id, _path(path), passphrase, tell, dry_run=dry_run)
            return _imported(owner, report, dry_run)

        passphrase = Param("passphrase", str)
        methods = {
            "import.pybitmessage": Method(pybitmessage, _IN, tells=True),
            "import.notbit": Method(notbit, _IN, tells=True),
            "import.mbox": Method(mbox, (*_IN, _MAILBOX), tells=True),
            "import.maildir": Method(maildir, (*_IN, _MAILBOX), tells=True),
            "import.archive": Method(archive, (*_IN, passphrase), tells=True),
            **self._exports(find),
        }
        return {name: _explained(method) for name, method in methods.items()}

    def _exports(self, find: FindAccount) -> Mapping[str, Method]:
        async def opened(account: str, password: str) -> Account:
            owner = await find(account)
            await self.exports.open(owner, password)
            return owner

        async def keys(account: str, path: str, password: str, force: bool) -> Any:
            owner = await opened(account, password)
            return _exported(owner, path, "addresses", await self.exports.keys(owner.id, _path(path), force=force))

        async def wif(account: str, path: str, password: str, force: bool) -> Any:
            owner = await opened(account, password)
            return _exported(owner, path, "addresses", await self.exports.wif(owner.id, _path(path), force=force))

        async def mbox(tell: Tell, account: str, path: str, password: str) -> Any:
            owner = await opened(account, password)
            return _exported(owner, path, "messages", await self.exports.mbox(owner.id, _path(path), tell))

        async def maildir(tell: Tell, account: str, path: str, password: str) -> Any:
            owner = await opened(account, password)
            return _exported(owner, path, "messages", await self.exports.maildir(owner.id, _path(path), tell))

        async def archive(tell: Tell, account: str, path: str, password: str, force: bool, passphrase: str) -> Any:
            owner = await opened(account, password)
            made = await self.exports.archive(owner, _path(path), passphrase, tell, force=force)
            return _exported(owner, path, "messages", made.mails) | {"waiting": made.waiting}

        return {
            "export.keys": Method(keys, (*_OUT, _FORCE)),
            "export.wif": Method(wif, (*_OUT, _FORCE)),
            "export.mbox": Method(mbox, _OUT, tells=True),
            "export.maildir": Method(maildir, _OUT, tells=True),
            "export.archive": Method(archive, (*_OUT, _FORCE, Param("passphrase", str)), tells=True),
        }


def _explained(method: Method) -> Method:
    """The method, with Refused for a file that cannot be read or written."""

    async def answer(*tell: Tell, **values: Any) -> Any:
        try:
            return await method.answer(*tell, **values)
        except (ConnectionError, TimeoutError):
            raise  # of whom it is told, not of a file
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(f"{values['path']}: no room is left on that disk") from error
            name = error.filename if isinstance(error.filename, str | Path) else values["path"]
            raise Refused(f"{name}: {error.strerror or error}") from error

    return replace(method, answer=answer)


def _path(text: str) -> Path:
    """The gateway works elsewhere than who calls it."""
    path = Path(text)
    if not path.is_absolute():
        raise NotAllowed(f"{text} is no absolute path")
    return path


def _imported(account: Account, report: Report, dry_run: bool) -> dict[str, Any]:
    return {
        "account": account.name,
        "dry_run": dry_run,
        "counts": {kind: {"new": count.new, "there": count.there} for kind, count in report.counts.items()},
        "octets": report.octets,
        "notes": report.notes,
    }


def _exported(account: Account, path: str, kind: str, count: int) -> dict[str, Any]:
    return {"account": account.name, "path": path, kind: count}
