"""The environment: four agents, the ledger, the scoreboard, the port rules, coverage, and the virtual sequencer."""

from __future__ import annotations

from pyuvm import ConfigDB, uvm_env

from tb.uvm.tlb.agents.access.agent import AccessAgent
from tb.uvm.tlb.agents.fill.agent import FillAgent
from tb.uvm.tlb.agents.lookup.agent import LookupAgent
from tb.uvm.tlb.agents.shoot.agent import ShootAgent
from tb.uvm.tlb.coverage import Coverage
from tb.uvm.tlb.ledger import Ledger
from tb.uvm.tlb.port_rules import PortRules
from tb.uvm.tlb.scoreboard import Scoreboard
from tb.uvm.tlb.virtual_sequencer import VirtualSequencer

__all__ = ["TlbEnv"]


class TlbEnv(uvm_env):
    """Around one TLB."""

    def build_phase(self) -> None:
        super().build_phase()
        self.lookup = LookupAgent.create("lookup", self)
        self.access = AccessAgent.create("access", self)
        self.fill = FillAgent.create("fill", self)
        self.shoot = ShootAgent.create("shoot", self)
        self.ledger = Ledger.create("ledger", self)
        self.scoreboard = Scoreboard.create("scoreboard", self)
        self.rules = PortRules.create("rules", self)
        self.coverage = Coverage.create("coverage", self)
        self.virtual = VirtualSequencer.create("virtual", self)

    def connect_phase(self) -> None:
        for agent in (self.lookup, self.access, self.fill, self.shoot):
            agent.monitor.ap.connect(self.scoreboard.analysis_export)
            agent.monitor.ap.connect(self.ledger.analysis_export)
        self.scoreboard.ap.connect(self.rules.analysis_export)
        self.scoreboard.ap.connect(self.coverage.analysis_export)
        self.rules.scoreboard = self.scoreboard
        virtual = self.virtual
        virtual.lookup, virtual.access = self.lookup.sequencer, self.access.sequencer
        virtual.fill, virtual.shoot = self.fill.sequencer, self.shoot.sequencer
        virtual.ledger = self.ledger
        virtual.bfm = ConfigDB().get(self, "", "BFM")
        virtual.seed = ConfigDB().get(self, "", "SEED")
