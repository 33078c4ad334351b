"""The doctor: what is set up wrongly around a function, found by looking at it and changing nothing.

``gather`` is the only edge; what it brought is :class:`~lambda_invoke.doctor.facts.Facts`, and every
check is a function of those.
"""
