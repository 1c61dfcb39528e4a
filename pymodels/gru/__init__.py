"""A cycle-approximate model of the GRU behind the port: `GruModel`."""

from pymodels.gru.device import GruModel, ModelOptions

__all__ = ["GruModel", "ModelOptions"]
