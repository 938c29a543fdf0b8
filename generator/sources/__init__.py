"""What may be absent, slow or wrong: Hub, local files, driver, logs."""

import os

os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # before its client is imported: else it asks the Hub who calls
