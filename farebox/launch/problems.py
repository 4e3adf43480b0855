"""What a person has to mend before a step before launch can be done.

The one rule: the text is a sentence that says what to do. This module must not know any step.
"""


class LaunchError(ValueError):
    """A step cannot be done with what was given."""
