"""What a call returns, or the message of an error that names invalid input."""


def attempt(function, *args, **options):
    """Return the result and None, or None and the message of an error of ours."""
    try:
        return function(*args, **options), None
    except (TypeError, ValueError) as error:
        return None, str(error)
