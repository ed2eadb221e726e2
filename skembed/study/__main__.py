"""``python -m skembed.study``."""

import sys

from skembed.study import main

sys.exit(main())
