"""MMU notifiers: the V6 chain a VM calls, the base class its clients extend, the interval notifier built on them, and the rmap
notifier."""

from sw_stack.notifier.chain import MmuNotifierChain, TranslationObserver
from sw_stack.notifier.client import MmuNotifier, NotifierError
from sw_stack.notifier.interval import IntervalSubscription, IntervalSubscriptions
from sw_stack.notifier.rmap import MmuRmapNotifier, RmapNotifiers
from sw_stack.notifier.underway import ActiveRange

__all__ = [
    "ActiveRange",
    "IntervalSubscription",
    "IntervalSubscriptions",
    "MmuNotifier",
    "MmuNotifierChain",
    "MmuRmapNotifier",
    "NotifierError",
    "RmapNotifiers",
    "TranslationObserver",
]
