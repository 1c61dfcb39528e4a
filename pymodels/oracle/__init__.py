"""The untimed oracle: which translations are legal now."""

from pymodels.oracle.legal import LegalTranslations
from pymodels.oracle.records import Allowed, Hit, NoHit, Objection, Outcome
from pymodels.oracle.translation import ALL_PAGES, Scope, Shootdown, Translation

__all__ = ["ALL_PAGES", "Allowed", "Hit", "LegalTranslations", "NoHit", "Objection", "Outcome", "Scope", "Shootdown", "Translation"]
