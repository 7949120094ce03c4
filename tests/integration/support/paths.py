# SPDX-License-Identifier: Apache-2.0
"""Where things are. `USER_SERVICE_BIN` names another binary, for instance one with sanitizers."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("USER_SERVICE_BIN", ROOT / "build" / "user-service")).absolute()
BUILD = BINARY.parent
OPENAPI = ROOT / "openapi" / "user-service.yaml"
EVENTS = ROOT / "events"
CONTRACT = ROOT / "tests" / "contract"
JOSE = CONTRACT / "jose"
