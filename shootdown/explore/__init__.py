"""The explorer: plays of sw_stack/workloads/explored in every order of their steps that a strategy chooses."""
