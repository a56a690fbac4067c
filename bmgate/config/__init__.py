"""The settings of a gateway: `gateway.ini` becomes one frozen `Config`, whose sections `app` hands out."""

from bmgate.config.file import data_folder, load_config, parse_config, render_ini
from bmgate.config.model import Config
from bmgate.config.sections.doors import ImapSection, Pop3Section, SmtpSection
from bmgate.config.sections.node import NodeSection
from bmgate.config.values import HostPort

__all__ = [
    "Config",
    "HostPort",
    "ImapSection",
    "NodeSection",
    "Pop3Section",
    "SmtpSection",
    "data_folder",
    "load_config",
    "parse_config",
    "render_ini",
]
