"""The commands, one module each. A command's module imports its machinery when it runs, so that --help is quick."""
