"""``python -m toolkit.classroom``."""

from toolkit.classroom.server import main

raise SystemExit(main())
