"""The extensions this server has, in the order in which they are announced.

Those that are words alone change how commands of the base protocol are read or answered, in every session.
docs/imap-extensions.md tells how to add one.
"""

from bmgate.imap.commands import BASE
from bmgate.imap.extension import Extension
from bmgate.imap.extensions.appendlimit import APPENDLIMIT
from bmgate.imap.extensions.id import ID
from bmgate.imap.extensions.idle import IDLE
from bmgate.imap.extensions.namespace import NAMESPACE
from bmgate.imap.extensions.objectid import OBJECTID
from bmgate.imap.extensions.preview import PREVIEW
from bmgate.imap.extensions.quota import QUOTA
from bmgate.imap.extensions.savedate import SAVEDATE
from bmgate.imap.extensions.sort import SORT
from bmgate.imap.extensions.thread import THREAD
from bmgate.imap.extensions.unselect import UNSELECT
from bmgate.imap.extensions.xlist import XLIST

EXTENSIONS: tuple[Extension, ...] = (
    BASE,
    Extension("LITERAL+"),
    Extension("SASL-IR"),
    ID,
    Extension("ENABLE"),
    IDLE,
    NAMESPACE,
    UNSELECT,
    Extension("UIDPLUS"),
    Extension("MOVE"),
    Extension("SPECIAL-USE"),
    XLIST,
    Extension("CHILDREN"),
    Extension("LIST-EXTENDED"),
    Extension("LIST-STATUS"),
    Extension("STATUS=SIZE"),
    Extension("CONDSTORE"),
    Extension("QRESYNC"),
    Extension("ESEARCH"),
    Extension("SEARCHRES"),
    Extension("WITHIN"),
    SORT,
    THREAD,
    Extension("MULTIAPPEND"),
    Extension("BINARY"),
    APPENDLIMIT,
    QUOTA,
    OBJECTID,
    PREVIEW,
    SAVEDATE,
    Extension("UTF8=ACCEPT"),
    Extension("STARTTLS", when=lambda it: not it.is_logged_in and it.can_start_tls),
    Extension("AUTH=PLAIN AUTH=LOGIN", when=lambda it: not it.is_logged_in and it.may_log_in),
    Extension("LOGINDISABLED", when=lambda it: not it.is_logged_in and not it.may_log_in),
)
