"""What a command after launch can't go on with: one sentence that says what to do."""

from farebox.launch.problems import LaunchError


class AfterError(LaunchError):
    """Receipts or manifests can't be used for this."""
