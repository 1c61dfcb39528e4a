"""The model of the HCA: a device of one or two adapters behind the port, without gates."""

from pymodels.hca.device import HcaModel
from pymodels.hca.options import HcaModelOptions

__all__ = ["HcaModel", "HcaModelOptions"]
