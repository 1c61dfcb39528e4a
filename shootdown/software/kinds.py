"""The kinds of device there is software for, by the name a run gives them.

Promises: what is asked of a kind is answered by its module, loaded when it is first asked for.
"""

from __future__ import annotations

from hwif.gen.gru import RtlMutant
from hwif.gen.hca import HcaMutant
from shootdown.result import CosimConfig
from shootdown.software.base import Job
from sw_stack.workloads.trace import read_trace

__all__ = ["driver_mutants", "job", "rtl_mutants"]


def driver_mutants(device: str) -> tuple[str, ...]:
    """Broken variants of the device's driver, by name."""
    if device == "hca":
        from shootdown.software import hca  # noqa: PLC0415

        return hca.DRIVER_MUTANTS
    from shootdown.software import gru  # noqa: PLC0415

    return gru.DRIVER_MUTANTS


def rtl_mutants(device: str) -> dict[str, int]:
    """Broken variants of the device's RTL: name -> what mutant_i is then."""
    kind: type[RtlMutant] | type[HcaMutant] = HcaMutant if device == "hca" else RtlMutant
    return {mutant.name.lower(): mutant.value for mutant in kind if mutant.value}


def job(config: CosimConfig) -> Job:
    """What a run plays. Raises InputError and the readers' one-line errors."""
    from shootdown.software import gru, hca  # noqa: PLC0415

    if config.scenario is not None:
        return hca.scenario_job(config) if config.device == "hca" else gru.scenario_job(config)
    assert config.trace is not None
    program = read_trace(config.trace)
    return hca.program_job(config, program) if config.device == "hca" else gru.program_job(config, program)
