"""The untimed oracles: which translations of a TLB are legal now, and which traces of an HCA and of the notifiers."""

from pymodels.oracle.hca import LegalHca
from pymodels.oracle.legal import LegalTranslations
from pymodels.oracle.notifier import LegalNotifiers
from pymodels.oracle.records import Allowed, Hit, NoHit, Objection, Outcome
from pymodels.oracle.translation import ALL_PAGES, Scope, Shootdown, Translation

__all__ = [
    "ALL_PAGES",
    "Allowed",
    "Hit",
    "LegalHca",
    "LegalNotifiers",
    "LegalTranslations",
    "NoHit",
    "Objection",
    "Outcome",
    "Scope",
    "Shootdown",
    "Translation",
]
