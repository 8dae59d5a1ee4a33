"""The one exception for a user's mistake: the doors print its message without a traceback and exit with code
2. A mistake in the code that calls is a plain ValueError.
"""


class UserError(ValueError):
    """Names the file or setting, what was expected, what was found and what to do; holds no patient
    identifier.
    """
