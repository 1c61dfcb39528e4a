"""The registration cache of message passing libraries: its known bug, and two repairs."""

from sw_stack.drivers.regcache.cache import RegistrationCache
from sw_stack.drivers.regcache.entry import Entry
from sw_stack.drivers.regcache.hooks import Hooks
from sw_stack.drivers.regcache.policy import CachePolicy
from sw_stack.drivers.regcache.registrar import HcaRegistrar, PinnedRegistrar, Registrar
from sw_stack.drivers.regcache.ummunotify import UmmuNotifier

__all__ = [
    "CachePolicy",
    "Entry",
    "HcaRegistrar",
    "Hooks",
    "PinnedRegistrar",
    "Registrar",
    "RegistrationCache",
    "UmmuNotifier",
]
