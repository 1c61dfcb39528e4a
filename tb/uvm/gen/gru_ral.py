"""The register model of the GRU's handles. Generated from spec/ by `make gen`. Do not edit."""

# mypy: ignore-errors

from pyuvm import uvm_coverage_model_e, uvm_endianness_e, uvm_reg, uvm_reg_block, uvm_reg_field

__all__ = ["GruHandles"]


class TghDw0(uvm_reg):
    """TLB global handle: one shootdown at a time, status ACTIVE until it is done: double-word 0."""

    def __init__(self, name="TghDw0"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_cmd = uvm_reg_field("cmd")
        self.f_delresp = uvm_reg_field("delresp")
        self.f_opc = uvm_reg_field("opc")
        self.f_status = uvm_reg_field("status")
        self.f_state = uvm_reg_field("state")
        self.f_cause = uvm_reg_field("cause")

    def build(self):
        self.f_cmd.configure(self, 1, 0, "RO", True, 0, True, False, False)
        self.f_delresp.configure(self, 1, 1, "RW", False, 0, True, True, False)
        self.f_opc.configure(self, 1, 2, "RW", False, 0, True, True, False)
        self.f_status.configure(self, 2, 16, "RO", True, 0, True, False, False)
        self.f_state.configure(self, 3, 20, "RO", True, 0, True, False, False)
        self.f_cause.configure(self, 3, 24, "RO", True, 0, True, False, False)


class TghDw1(uvm_reg):
    """TLB global handle: one shootdown at a time, status ACTIVE until it is done: double-word 1."""

    def __init__(self, name="TghDw1"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_vaddr = uvm_reg_field("vaddr")

    def build(self):
        self.f_vaddr.configure(self, 64, 0, "RW", False, 0, False, True, False)


class TghDw2(uvm_reg):
    """TLB global handle: one shootdown at a time, status ACTIVE until it is done: double-word 2."""

    def __init__(self, name="TghDw2"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_asid = uvm_reg_field("asid")
        self.f_pagesize = uvm_reg_field("pagesize")
        self.f_global = uvm_reg_field("global")

    def build(self):
        self.f_asid.configure(self, 24, 0, "RW", False, 0, False, True, False)
        self.f_pagesize.configure(self, 5, 32, "RW", False, 0, False, True, False)
        self.f_global.configure(self, 1, 48, "RW", False, 0, False, True, False)


class TghDw3(uvm_reg):
    """TLB global handle: one shootdown at a time, status ACTIVE until it is done: double-word 3."""

    def __init__(self, name="TghDw3"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_vaddrmask = uvm_reg_field("vaddrmask")
        self.f_n = uvm_reg_field("n")

    def build(self):
        self.f_vaddrmask.configure(self, 39, 0, "RW", False, 0, False, True, False)
        self.f_n.configure(self, 10, 48, "RW", False, 0, False, True, False)


class TghDw4(uvm_reg):
    """TLB global handle: one shootdown at a time, status ACTIVE until it is done: double-word 4."""

    def __init__(self, name="TghDw4"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_ctxbitmap = uvm_reg_field("ctxbitmap")

    def build(self):
        self.f_ctxbitmap.configure(self, 16, 0, "RW", False, 0, False, True, False)


class TfhDw0(uvm_reg):
    """TLB fault handle: the pending miss of one control block and the drop-in that answers it: double-word 0."""

    def __init__(self, name="TfhDw0"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_cmd = uvm_reg_field("cmd")
        self.f_delresp = uvm_reg_field("delresp")
        self.f_opc = uvm_reg_field("opc")
        self.f_status = uvm_reg_field("status")
        self.f_state = uvm_reg_field("state")
        self.f_cause = uvm_reg_field("cause")
        self.f_cb_int = uvm_reg_field("cb_int")
        self.f_indexway = uvm_reg_field("indexway")
        self.f_ctxnum = uvm_reg_field("ctxnum")

    def build(self):
        self.f_cmd.configure(self, 1, 0, "RO", True, 0, True, False, False)
        self.f_delresp.configure(self, 1, 1, "RW", False, 0, True, True, False)
        self.f_opc.configure(self, 3, 4, "RW", False, 0, False, True, False)
        self.f_status.configure(self, 2, 16, "RO", True, 0, True, False, False)
        self.f_state.configure(self, 3, 20, "RO", True, 0, True, False, False)
        self.f_cause.configure(self, 6, 24, "RO", True, 0, True, False, False)
        self.f_cb_int.configure(self, 1, 30, "RO", True, 0, False, False, False)
        self.f_indexway.configure(self, 12, 32, "RO", True, 0, False, False, False)
        self.f_ctxnum.configure(self, 4, 48, "RO", True, 0, False, False, False)


class TfhDw1(uvm_reg):
    """TLB fault handle: the pending miss of one control block and the drop-in that answers it: double-word 1."""

    def __init__(self, name="TfhDw1"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_missvaddr = uvm_reg_field("missvaddr")

    def build(self):
        self.f_missvaddr.configure(self, 64, 0, "RO", True, 0, False, False, False)


class TfhDw2(uvm_reg):
    """TLB fault handle: the pending miss of one control block and the drop-in that answers it: double-word 2."""

    def __init__(self, name="TfhDw2"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_missasid = uvm_reg_field("missasid")
        self.f_fillasid = uvm_reg_field("fillasid")
        self.f_dirty = uvm_reg_field("dirty")
        self.f_gaa = uvm_reg_field("gaa")

    def build(self):
        self.f_missasid.configure(self, 24, 0, "RO", True, 0, False, False, False)
        self.f_fillasid.configure(self, 24, 32, "RW", False, 0, False, True, False)
        self.f_dirty.configure(self, 1, 56, "RW", False, 0, False, True, False)
        self.f_gaa.configure(self, 2, 57, "RW", False, 0, False, True, False)


class TfhDw3(uvm_reg):
    """TLB fault handle: the pending miss of one control block and the drop-in that answers it: double-word 3."""

    def __init__(self, name="TfhDw3"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_pfn = uvm_reg_field("pfn")
        self.f_pagesize = uvm_reg_field("pagesize")

    def build(self):
        self.f_pfn.configure(self, 41, 0, "RW", False, 0, False, True, False)
        self.f_pagesize.configure(self, 5, 48, "RW", False, 0, False, True, False)


class TfhDw4(uvm_reg):
    """TLB fault handle: the pending miss of one control block and the drop-in that answers it: double-word 4."""

    def __init__(self, name="TfhDw4"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_fillvaddr = uvm_reg_field("fillvaddr")

    def build(self):
        self.f_fillvaddr.configure(self, 64, 0, "RW", False, 0, False, True, False)


class TfmDw0(uvm_reg):
    """TLB fault map: one a core; a bit per control block: double-word 0."""

    def __init__(self, name="TfmDw0"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_fault_bits_0 = uvm_reg_field("fault_bits_0")

    def build(self):
        self.f_fault_bits_0.configure(self, 64, 0, "W1C", True, 0, True, False, False)


class TfmDw1(uvm_reg):
    """TLB fault map: one a core; a bit per control block: double-word 1."""

    def __init__(self, name="TfmDw1"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_fault_bits_1 = uvm_reg_field("fault_bits_1")

    def build(self):
        self.f_fault_bits_1.configure(self, 64, 0, "W1C", True, 0, True, False, False)


class TfmDw4(uvm_reg):
    """TLB fault map: one a core; a bit per control block: double-word 4."""

    def __init__(self, name="TfmDw4"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_done_bits_0 = uvm_reg_field("done_bits_0")

    def build(self):
        self.f_done_bits_0.configure(self, 64, 0, "W1C", True, 0, True, False, False)


class TfmDw5(uvm_reg):
    """TLB fault map: one a core; a bit per control block: double-word 5."""

    def __init__(self, name="TfmDw5"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_done_bits_1 = uvm_reg_field("done_bits_1")

    def build(self):
        self.f_done_bits_1.configure(self, 64, 0, "W1C", True, 0, True, False, False)


class CchDw0(uvm_reg):
    """Context configuration handle: double-word 0."""

    def __init__(self, name="CchDw0"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_cmd = uvm_reg_field("cmd")
        self.f_delresp = uvm_reg_field("delresp")
        self.f_opc = uvm_reg_field("opc")
        self.f_unmap_enable = uvm_reg_field("unmap_enable")
        self.f_req_slice_set_enable = uvm_reg_field("req_slice_set_enable")
        self.f_req_slice = uvm_reg_field("req_slice")
        self.f_cb_int_enable = uvm_reg_field("cb_int_enable")
        self.f_tlb_int_enable = uvm_reg_field("tlb_int_enable")
        self.f_tfm_fault_bit_enable = uvm_reg_field("tfm_fault_bit_enable")
        self.f_tlb_int_select = uvm_reg_field("tlb_int_select")
        self.f_status = uvm_reg_field("status")
        self.f_state = uvm_reg_field("state")
        self.f_cause = uvm_reg_field("cause")
        self.f_tfm_done_bit_enable = uvm_reg_field("tfm_done_bit_enable")
        self.f_dsr_allocation_map = uvm_reg_field("dsr_allocation_map")

    def build(self):
        self.f_cmd.configure(self, 1, 0, "RO", True, 0, True, False, False)
        self.f_delresp.configure(self, 1, 1, "RW", False, 0, False, True, False)
        self.f_opc.configure(self, 3, 2, "RW", False, 0, False, True, False)
        self.f_unmap_enable.configure(self, 1, 5, "RW", False, 0, False, True, False)
        self.f_req_slice_set_enable.configure(self, 1, 6, "RW", False, 0, False, True, False)
        self.f_req_slice.configure(self, 2, 7, "RW", False, 0, False, True, False)
        self.f_cb_int_enable.configure(self, 1, 9, "RW", False, 0, False, True, False)
        self.f_tlb_int_enable.configure(self, 1, 10, "RW", False, 0, False, True, False)
        self.f_tfm_fault_bit_enable.configure(self, 1, 11, "RW", False, 0, False, True, False)
        self.f_tlb_int_select.configure(self, 4, 12, "RW", False, 0, False, True, False)
        self.f_status.configure(self, 2, 16, "RO", True, 0, True, False, False)
        self.f_state.configure(self, 2, 18, "RO", True, 0, True, False, False)
        self.f_cause.configure(self, 4, 24, "RO", True, 0, True, False, False)
        self.f_tfm_done_bit_enable.configure(self, 1, 28, "RW", False, 0, False, True, False)
        self.f_dsr_allocation_map.configure(self, 32, 32, "RW", False, 0, False, True, False)


class CchDw1(uvm_reg):
    """Context configuration handle: double-word 1."""

    def __init__(self, name="CchDw1"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_cbr_allocation_map = uvm_reg_field("cbr_allocation_map")

    def build(self):
        self.f_cbr_allocation_map.configure(self, 64, 0, "RW", False, 0, False, True, False)


class CchDw2(uvm_reg):
    """Context configuration handle: double-word 2."""

    def __init__(self, name="CchDw2"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_asid_0 = uvm_reg_field("asid_0")

    def build(self):
        self.f_asid_0.configure(self, 64, 0, "RW", False, 0, False, True, False)


class CchDw3(uvm_reg):
    """Context configuration handle: double-word 3."""

    def __init__(self, name="CchDw3"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_asid_1 = uvm_reg_field("asid_1")

    def build(self):
        self.f_asid_1.configure(self, 64, 0, "RW", False, 0, False, True, False)


class CchDw4(uvm_reg):
    """Context configuration handle: double-word 4."""

    def __init__(self, name="CchDw4"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_asid_2 = uvm_reg_field("asid_2")

    def build(self):
        self.f_asid_2.configure(self, 64, 0, "RW", False, 0, False, True, False)


class CchDw5(uvm_reg):
    """Context configuration handle: double-word 5."""

    def __init__(self, name="CchDw5"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_asid_3 = uvm_reg_field("asid_3")

    def build(self):
        self.f_asid_3.configure(self, 64, 0, "RW", False, 0, False, True, False)


class CchDw6(uvm_reg):
    """Context configuration handle: double-word 6."""

    def __init__(self, name="CchDw6"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_sizeavail_0 = uvm_reg_field("sizeavail_0")

    def build(self):
        self.f_sizeavail_0.configure(self, 64, 0, "RW", False, 0, False, True, False)


class CchDw7(uvm_reg):
    """Context configuration handle: double-word 7."""

    def __init__(self, name="CchDw7"):
        super().__init__(name, 64, uvm_coverage_model_e.UVM_NO_COVERAGE)
        self.f_sizeavail_1 = uvm_reg_field("sizeavail_1")

    def build(self):
        self.f_sizeavail_1.configure(self, 64, 0, "RW", False, 0, False, True, False)


class GruHandles(uvm_reg_block):
    """Fault maps, shootdown handles, fault handles, context handles: lists of dictionaries, double-word -> register."""

    def __init__(self, name="gru_handles"):
        super().__init__(name)
        self.tgh = []
        self.tfh = []
        self.tfm = []
        self.cch = []

    def build(self):
        self.set_default_map(self.create_map("map", 0, 8, uvm_endianness_e.UVM_LITTLE_ENDIAN))
        self._add(self.tgh, "tgh", 0x4008000, 24, {0: TghDw0, 1: TghDw1, 2: TghDw2, 3: TghDw3, 4: TghDw4})
        self._add(self.tfh, "tfh", 0x4018000, 128, {0: TfhDw0, 1: TfhDw1, 2: TfhDw2, 3: TfhDw3, 4: TfhDw4})
        self._add(self.tfm, "tfm", 0x4000000, 16, {0: TfmDw0, 1: TfmDw1, 4: TfmDw4, 5: TfmDw5})
        self._add(self.cch, "cch", 0x4020000, 16, {0: CchDw0, 1: CchDw1, 2: CchDw2, 3: CchDw3, 4: CchDw4, 5: CchDw5, 6: CchDw6, 7: CchDw7})

    def _add(self, handles, name, base, count, kinds):
        for index in range(count):
            words = {}
            for dw, kind in kinds.items():
                register = words[dw] = kind(f"{name}[{index}].dw{dw}")
                register.configure(self, None, "")
                register.build()
                self.get_default_map().add_reg(register, base + index * 0x100 + 8 * dw, "RW")
            handles.append(words)
