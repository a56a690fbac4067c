"""Identities: the addresses of accounts, how they are asked for, named, changed and given up."""

from bmgate.services.identities.identities import Identities
from bmgate.services.identities.naming import Named
from bmgate.services.identities.requests import AddressEntry, AddressRequest

__all__ = ["AddressEntry", "AddressRequest", "Identities", "Named"]
