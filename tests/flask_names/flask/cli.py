"""Left out: the commands of an app. Only the name is here."""


class ScriptInfo:
    """Nothing."""
