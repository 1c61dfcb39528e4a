"""The register model in use: how its operations reach the bus, and what keeps its mirror (pyuvm's own predictor cannot be made)."""

from __future__ import annotations

from typing import Any

from pyuvm import uvm_access_e, uvm_predict_e, uvm_reg_adapter, uvm_sequencer, uvm_status_e, uvm_subscriber

from tb.uvm.agents.axil.config import RegisterAccess
from tb.uvm.agents.axil.item import RegisterItem
from tb.uvm.agents.axil.sequence import RegisterSequence
from tb.uvm.gen.gru_ral import GruHandles

__all__ = ["Predictor", "register_model"]


class _Adapter(uvm_reg_adapter):
    """Operations of the model as items of the register agent."""

    def reg2bus(self, rw: Any) -> RegisterItem:
        """To the bus."""
        write = rw.kind == uvm_access_e.UVM_WRITE
        return RegisterItem(write=write, addr=int(rw.addr), data=rw.data if write else 0)

    def bus2reg(self, bus_item: RegisterItem, rw: Any) -> None:
        """From the bus."""
        rw.data = bus_item.data
        rw.status = uvm_status_e.UVM_IS_OK if bus_item.resp == 0 else uvm_status_e.UVM_NOT_OK


class _Front(RegisterSequence):
    """An operation ends when its access does."""

    async def finish_item(self, item: RegisterItem) -> None:
        """With its answer."""
        await super().finish_item(item)
        await item.done.wait()


class Predictor(uvm_subscriber):
    """Keeps the model's mirror by what crosses the bus, whoever asked."""

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


def register_model(sequencer: uvm_sequencer, predictor: Predictor) -> Any:
    """Built, locked, with a mirror that the predictor keeps."""
    made: Any = GruHandles
    model = made("handles")
    model.build()
    model.lock_model()
    adapter = _Adapter("adapter")
    adapter.parent_sequence = _Front("front")
    model.get_default_map().set_sequencer(sequencer, adapter)
    model.get_default_map().set_auto_predict(False)
    predictor.model = model
    return model
