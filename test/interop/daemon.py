"""The prototype's own gdaemon.py as it is, without its question for a password and its wait for missing windows."""
import os
import runpy

import driver  # noqa: F401  prepares the modules

runpy.run_path(os.path.join(os.environ["GRASPY_DIR"], "gdaemon.py"), run_name="__main__")
