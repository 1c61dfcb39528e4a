"""A generated register model in use: how its operations reach a register bus, and what keeps its mirror.

Promises: every operation of a model that was put on a bus is an item of the register agent, and ends when its access does. The
mirror follows what crosses the bus, whoever asked.
Needs: the Predictor subscribes to the register monitor (pyuvm's own cannot be made).
"""

from __future__ import annotations

from typing import Any

from pyuvm import uvm_access_e, uvm_predict_e, uvm_reg_adapter, uvm_sequencer, uvm_status_e, uvm_subscriber

from tb.uvm.agents.axil.config import OKAY, RegisterAccess
from tb.uvm.agents.axil.item import RegisterItem
from tb.uvm.agents.axil.sequence import RegisterSequence

__all__ = ["Predictor", "put_on_bus"]


class _Adapter(uvm_reg_adapter):
    """Operations of the model as items of the register agent."""

    def reg2bus(self, rw: Any) -> RegisterItem:
        """To the bus."""
        write = rw.kind == uvm_access_e.UVM_WRITE
        return RegisterItem(write=write, addr=int(rw.addr), data=rw.data if write else 0)

    def bus2reg(self, bus_item: RegisterItem, rw: Any) -> None:
        """From the bus."""
        rw.data = bus_item.data
        rw.status = uvm_status_e.UVM_IS_OK if bus_item.resp == OKAY else uvm_status_e.UVM_NOT_OK


class _Front(RegisterSequence):
    """An operation ends when its access does."""

    async def finish_item(self, item: RegisterItem) -> None:
        """With its answer."""
        await super().finish_item(item)
        await item.done.wait()


class Predictor(uvm_subscriber):
    """Keeps a model's mirror."""

    model: Any = None

    def write(self, access: RegisterAccess) -> None:
        """From the register monitor."""
        register = None if self.model is None else self.model.get_default_map().get_reg_by_offset(access.addr & -8)
        if register is None or not access.okay:
            return
        if access.write:
            register.predict(access.data, be=access.strobe, kind=uvm_predict_e.UVM_PREDICT_WRITE)
        else:
            register.predict(access.data, kind=uvm_predict_e.UVM_PREDICT_READ)


def put_on_bus(model: Any, sequencer: uvm_sequencer, predictor: Predictor) -> Any:
    """The model, built and locked, with a mirror that the predictor keeps."""
    model.build()
    model.lock_model()
    adapter = _Adapter("adapter")
    adapter.parent_sequence = _Front("front")
    model.get_default_map().set_sequencer(sequencer, adapter)
    model.get_default_map().set_auto_predict(False)
    predictor.model = model
    return model
