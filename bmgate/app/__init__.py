"""The composition of a gateway, in one place: what each part needs, it is given here.

`open_gateway` makes the services over a data folder, which is all that a command needs; `serve` adds what
lives: solver, node, doors, control socket.
"""

from bmgate.app.gateway import Gateway
from bmgate.app.opening import open_gateway, stop_on_signals
from bmgate.app.serving import serve

__all__ = ["Gateway", "open_gateway", "serve", "stop_on_signals"]
