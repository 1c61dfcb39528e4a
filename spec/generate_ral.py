"""Writes the register model of the GRU's handles (pyuvm's register layer) from spec/gru.toml.

A register is a double-word of a handle: the layer has none wider than the bus. A field that runs over several becomes one of each.
Left out: control blocks and their extensions, which exist only while a context owns them and belong to the engine, and the data
segment.

Promises: the same text for the same page. Used by spec/generate.py.
"""

from __future__ import annotations

from spec.load import Gru, Handle

__all__ = ["outputs_ral"]

WORD = 64
PLACES = {
    "tfm": ("TFM_BASE", "NUM_TFM"),
    "tgh": ("TGH_BASE", "NUM_TGH"),
    "tfh": ("TFH_BASE", "NUM_CBR"),
    "cch": ("CCH_BASE", "NUM_CTX"),
}
# What the device says; written values are ignored. Everything else is software's, but for the maps.
READ_ONLY = {"cmd", "status", "state", "cause", "cb_int", "indexway", "ctxnum", "missvaddr", "missasid"}
CLEARED = {"fault_bits", "done_bits"}
# Zero after reset. The rest lies in memories, which have no reset, and of the read-only fields a miss must be pending.
RESET = {"cmd", "delresp", "status", "state", "cause", *CLEARED}
RESET_BUT = {("tgh", "opc"): True, ("cch", "delresp"): False}

HEAD = '''"""The register model of the GRU's handles. Generated from spec/ by `make gen`. Do not edit."""

# mypy: ignore-errors

from pyuvm import uvm_coverage_model_e, uvm_endianness_e, uvm_reg, uvm_reg_block, uvm_reg_field

__all__ = ["GruHandles"]
'''


def outputs_ral(gru: Gru) -> dict[str, str]:
    """Path -> text."""
    handles = {handle.name: handle for handle in gru.handles if handle.name in PLACES}
    parts = [HEAD]
    for handle in handles.values():
        parts += [_register(handle, dw) for dw in _words(handle)]
    parts.append(_block(gru, handles))
    return {"tb/uvm/gen/gru_ral.py": "\n\n".join(parts)}


def _words(handle: Handle) -> list[int]:
    """Double-words with a field."""
    found = {dw for field in handle.fields for dw in range(field.lsb // WORD, (field.lsb + field.width - 1) // WORD + 1)}
    return sorted(found)


def _class(handle: Handle, dw: int) -> str:
    return f"{handle.name.capitalize()}Dw{dw}"


def _register(handle: Handle, dw: int) -> str:
    made, configured = [], []
    for field in handle.fields:
        first, last = max(field.lsb, dw * WORD), min(field.lsb + field.width, (dw + 1) * WORD)
        if first >= last:
            continue
        name = field.name if first == field.lsb and last == field.lsb + field.width else f"{field.name}_{dw - field.dw}"
        access = "W1C" if field.name in CLEARED else "RO" if field.name in READ_ONLY else "RW"
        volatile = access != "RW"
        reset = RESET_BUT.get((handle.name, field.name), field.name in RESET)
        made.append(f'        self.f_{name} = uvm_reg_field("{name}")')
        arguments = f'self, {last - first}, {first - dw * WORD}, "{access}", {volatile}, 0, {reset}, {access == "RW"}, False'
        configured.append(f"        self.f_{name}.configure({arguments})")
    return "\n".join(
        [
            f"class {_class(handle, dw)}(uvm_reg):",
            f'    """{handle.doc}: double-word {dw}."""',
            "",
            f'    def __init__(self, name="{_class(handle, dw)}"):',
            f"        super().__init__(name, {WORD}, uvm_coverage_model_e.UVM_NO_COVERAGE)",
            *made,
            "",
            "    def build(self):",
            *configured,
            "",
        ]
    )


def _block(gru: Gru, handles: dict[str, Handle]) -> str:
    stride = gru.window["HANDLE_STRIDE"][0]
    lines = [
        "class GruHandles(uvm_reg_block):",
        '    """Fault maps, shootdown handles, fault handles, context handles: lists of dictionaries, double-word -> register."""',
        "",
        '    def __init__(self, name="gru_handles"):',
        "        super().__init__(name)",
        *(f"        self.{name} = []" for name in handles),
        "",
        "    def build(self):",
        '        self.set_default_map(self.create_map("map", 0, 8, uvm_endianness_e.UVM_LITTLE_ENDIAN))',
    ]
    for name, handle in handles.items():
        base, count = PLACES[name]
        kinds = ", ".join(f"{dw}: {_class(handle, dw)}" for dw in _words(handle))
        lines.append(f'        self._add(self.{name}, "{name}", {gru.window[base][0]:#x}, {gru.constants[count][0]}, {{{kinds}}})')
    lines += [
        "",
        "    def _add(self, handles, name, base, count, kinds):",
        "        for index in range(count):",
        "            words = {}",
        "            for dw, kind in kinds.items():",
        '                register = words[dw] = kind(f"{name}[{index}].dw{dw}")',
        '                register.configure(self, None, "")',
        "                register.build()",
        f'                self.get_default_map().add_reg(register, base + index * {stride:#x} + 8 * dw, "RW")',
        "            handles.append(words)",
        "",
    ]
    return "\n".join(lines)
