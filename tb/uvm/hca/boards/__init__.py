"""What checks: each board sees some of the ports and objects, with a rule's name, to the judge."""
