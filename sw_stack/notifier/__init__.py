"""MMU notifiers: the V6 chain a VM calls, the base class its clients extend, and the interval notifier built on them."""

from sw_stack.notifier.chain import ActiveRange, MmuNotifierChain, TranslationObserver
from sw_stack.notifier.client import MmuNotifier, NotifierError
from sw_stack.notifier.interval import IntervalSubscription, IntervalSubscriptions

__all__ = [
    "ActiveRange",
    "IntervalSubscription",
    "IntervalSubscriptions",
    "MmuNotifier",
    "MmuNotifierChain",
    "NotifierError",
    "TranslationObserver",
]
