"""The software above the device: scheduler, virtual memory, notifiers, drivers, workloads. Knows `hwif`, nothing below."""
