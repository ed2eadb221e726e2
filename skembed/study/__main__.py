"""``python -m skembed.study``, the same as ``python -m skembed study``."""

import sys

from skembed.study import main

sys.exit(main())
