"""MMU notifiers with the V6 contract: the chain a VM calls and the base class its clients extend."""

from sw_stack.notifier.chain import ActiveRange, MmuNotifierChain, TranslationObserver
from sw_stack.notifier.client import MmuNotifier, NotifierError

__all__ = ["ActiveRange", "MmuNotifier", "MmuNotifierChain", "NotifierError", "TranslationObserver"]
