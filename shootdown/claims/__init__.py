"""The claims of the thread that proposed the notifiers (linux-mm, February 2008), each with an experiment and a verdict."""
