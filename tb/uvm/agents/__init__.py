"""Agents of buses that any device may have: registers (AXI4-Lite), memory (AXI4), interrupt lines.

They know no device. An agent is told what it needs by a configuration object named "config" in the ConfigDB, set for its own path
(`ConfigDB().set(self, "axil*", "config", RegisterConfig(...))`), so that any number of them fit into one environment. Passive by
`is_active`: a monitor and nothing else. Drivers are made by the factory: an override puts another model on the same pins.
"""
