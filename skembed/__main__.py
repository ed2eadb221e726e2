"""``python -m skembed``: a quick comparison on a task, or a study of strategies."""

import sys

from skembed.study._commands import main

if __name__ == "__main__":
    sys.exit(main())
